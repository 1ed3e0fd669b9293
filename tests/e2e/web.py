#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What web.sh looks at: the page as a browser shows it, and the face as clients of all sorts find it. Exits with 1 and says why when it is not so."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

PAGE_BYTES_MAX = 100000
SUBSCRIBERS_MAX = 32
FACE_KIB_MAX = 64 * 1024


def stop(why):
    print(why)
    sys.exit(1)


def fanfare(*arguments):
    return json.loads(subprocess.run([os.environ['FANFARE'], *arguments, '--json'], capture_output=True, check=True).stdout)


# ---- The page ---------------------------------------------------------------------------------------------------------------

class Browser:
    """chromium, and what it says on the console."""

    def __init__(self, playwright):
        self.chromium = playwright.chromium.launch(executable_path='/usr/bin/chromium', args=['--no-sandbox'])
        self.said = []

    def open(self, url, width, scheme='light'):
        context = self.chromium.new_context(viewport={'width': width, 'height': 900}, color_scheme=scheme, locale='en-GB')
        page = context.new_page()
        page.on('console', lambda message: self.said.append(f'{message.type}: {message.text}'))
        page.on('pageerror', lambda error: self.said.append(str(error)))
        page.goto(url)
        return page


def value(page, name):
    return int(page.locator(f'#{name}').get_attribute('data-value'))


def differences(page):
    """Between the page and what the commands say."""
    status, messages = fanfare('status'), fanfare('message', 'list')['messages']
    wrong = [f'{name}: {value(page, name)} is not {status[name]}' for name in ('ues', 'groups', 'messages_in_flight', 'checkpoints')
             if value(page, name) != status[name]]
    for name, count in (('sent', sum(one['sent'] for one in messages)),
                        ('dropped', sum(sum(one['dropped'].values()) for one in messages))):
        if value(page, name) != count:
            wrong.append(f'{name}: {value(page, name)} is not {count}')
    shown = page.locator('#messages tr').all_inner_texts()
    for one in (one for one in messages if not one['ended']):
        if not any(row.startswith(f'{one["id"]}\t{one["gid"]}') and f'{one["sent"]:,} sent' in row and f'{one["ues"]:,} UEs' in row
                   for row in shown):
            wrong.append(f'message {one["id"]} is not among {shown}')
    if page.locator('#state').inner_text() != status['state']:
        wrong.append(f'state: {page.locator("#state").inner_text()}')
    return wrong


def settled(check, seconds=15):
    """Until there is nothing to say: the page is a second behind."""
    for _ in range(seconds * 5):
        wrong = check()
        if not wrong:
            return
        time.sleep(0.2)
    stop(wrong)


def look(browser, url, width, scheme):
    page = browser.open(url, width, scheme)
    page.locator('#state.ready').wait_for()
    settled(lambda: differences(page))
    page.locator('#rates canvas').wait_for()
    if page.evaluate('document.documentElement.scrollWidth') > width:
        stop(f'{width} pixels: the page is {page.evaluate("document.documentElement.scrollWidth")} wide')
    if page.locator('#hops tr').count() == 0 or '2,816' in page.locator('#hops').inner_text():
        stop('next hops')
    waits = page.locator('#workers').inner_text()
    if waits.count('port') != 2:
        stop(f'workers wait for the port: {waits}')
    page.screenshot(path=f'{os.environ["SHOTS"]}/web-{width}-{scheme}.png', full_page=True)
    dark = page.evaluate('getComputedStyle(document.body).backgroundColor')
    page.context.close()
    return dark


def without_charts(browser, url):
    page = browser.open('about:blank', 390)
    page.route('**/uplot.js', lambda route: route.fulfill(content_type='text/javascript', body='/* none */'))
    page.goto(url)
    page.locator('#state.ready').wait_for()
    page.get_by_text('Charts are off').first.wait_for()
    settled(lambda: differences(page))
    page.context.close()


def page(url):
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        browser = Browser(playwright)
        colours = [look(browser, url, width, scheme) for width, scheme in ((390, 'light'), (1280, 'light'), (1280, 'dark'))]
        if colours[0] != colours[1] or colours[1] == colours[2]:
            stop(f'light and dark: {colours}')
        without_charts(browser, url)
        if browser.said:
            stop(f'on the console: {browser.said}')
        browser.chromium.close()


def away(url, pid):
    """The daemon is killed while the page is open: the page says so, and keeps its numbers."""
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        browser = Browser(playwright)
        page = browser.open(url, 390)
        page.locator('#state.ready').wait_for()
        ues = value(page, 'ues')
        os.kill(int(pid), signal.SIGKILL)
        page.locator('#state.away').wait_for()
        page.get_by_text('The daemon does not answer').wait_for()
        if value(page, 'ues') != ues or ues == 0:
            stop(f'{ues} UEs, and now {value(page, "ues")}')
        if browser.said:
            stop(f'on the console: {browser.said}')
        browser.chromium.close()


# ---- Clients ----------------------------------------------------------------------------------------------------------------

def ask(port, request):
    """Out: status, fields, body."""
    with socket.create_connection(('127.0.0.1', port), timeout=20) as client:
        client.sendall(request.encode())
        got = b''
        while True:
            octets = client.recv(65536)
            if not octets:
                break
            got += octets
    head, _, body = got.partition(b'\r\n\r\n')
    lines = head.decode('latin-1').split('\r\n')
    return int(lines[0].split()[1]) if got else 0, {key.lower(): text for key, _, text in (line.partition(': ') for line in lines[1:])}, body


def get(port, path, method='GET', more=''):
    return ask(port, f'{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n')


def check_files(port):
    total = 0
    for path in ('/', '/page.css', '/page.js', '/uplot.js', '/uplot.css', '/uplot-licence.txt'):
        status, fields, body = get(port, path)
        total += len(body)
        policy = fields['content-security-policy']
        if status != 200 or "default-src 'none'" not in policy or 'unsafe' in policy or 'http' in policy:
            stop(f'{path}: {status} {fields}')
        if fields['x-content-type-options'] != 'nosniff' or get(port, path, 'HEAD')[2] != b'':
            stop(f'{path}: {fields}')
        if path != '/uplot-licence.txt' and re.search(rb'(src|href)=.?(https?:)?//', body):
            stop(f'{path} loads what is elsewhere')
    if total > PAGE_BYTES_MAX:
        stop(f'the page has {total} octets')


def check_refusals(port):
    rows = ((405, get(port, '/', 'POST', 'Content-Length: 0\r\n')), (405, get(port, '/metrics', 'DELETE')),
            (405, get(port, '/events', 'HEAD')), (404, get(port, '/nothing')), (404, get(port, '/../etc/passwd')),
            (404, get(port, '/page.js/')), (413, get(port, '/', 'POST', 'Content-Length: 999999\r\n')),
            (404, get(port, '/' + 'a' * 4000)))
    for i, (status, answer) in enumerate(rows):
        if answer[0] != status:
            stop(f'row {i}: {answer} instead of {status}')
    for host, status in (('evil.example', 403), ('localhost.evil.example:80', 403), ('127.0.0.1.evil.example', 403), ('', 403),
                         ('[evil]', 403), ('127.0.0.1:9464', 200), ('LocalHost', 200), ('[::1]:9464', 200)):
        for path in ('/', '/metrics'):
            got, _, _ = ask(port, f'GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n')
            if got != status:
                stop(f'Host {host!r} {path}: {got} instead of {status}')
    if rows[0][1][1]['allow'] != 'GET, HEAD':
        stop(f'Allow: {rows[0][1][1]}')
    try:
        ask(port, 'GET / HTTP/1.1\r\n' + ''.join(f'X-{i}: {"b" * 100}\r\n' for i in range(10000)) + '\r\n')
    except ConnectionError:
        pass  # the face need not hear all of it


def kib(pid):
    return int(re.search(r'VmRSS:\s+(\d+)', open(f'/proc/{pid}/status').read())[1])


def subscribe(port):
    client = socket.create_connection(('127.0.0.1', port), timeout=20)
    client.sendall(b'GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')
    return client, client.recv(4096)


def left_over(port):
    """Pages that have gone are found when they are told something."""
    return [] if b'\nfanfare_web_subscribers 0\n' in get(port, '/metrics')[2] else ['pages that have gone are still counted']


def clients(port, pid):
    port = int(port)
    check_files(port)
    check_refusals(port)
    settled(lambda: left_over(port))
    pages = [subscribe(port) for _ in range(SUBSCRIBERS_MAX)]
    if not all(first.startswith(b'HTTP/1.1 200') for _, first in pages):
        stop(f'not all are told: {[first[:60] for _, first in pages]}')
    status, fields, body = get(port, '/events')
    if status != 503 or int(fields['retry-after']) < 1 or b'32 pages are open' not in body:
        stop(f'one more page: {status} {fields} {body}')
    # Scrapes at once share an answer, and all get it.
    scrapes = [socket.create_connection(('127.0.0.1', port), timeout=20) for _ in range(16)]
    for client in scrapes:
        client.sendall(b'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
    for client in scrapes:
        if not client.recv(4096).startswith(b'HTTP/1.1 200'):
            stop('a scrape that has no answer')
    if kib(pid) > FACE_KIB_MAX:
        stop(f'{kib(pid)} KiB of memory')
    for client in scrapes + [client for client, _ in pages]:
        client.close()
    settled(lambda: left_over(port))


# ---- TLS --------------------------------------------------------------------------------------------------------------------

def tls_get(port, path, name=None):
    context = ssl.create_default_context(cafile='ca.pem')
    context.check_hostname = False
    if name is not None:
        context.load_cert_chain(f'{name}.pem', f'{name}.key')
    try:
        with urllib.request.urlopen(f'https://127.0.0.1:{port}{path}', context=context, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (OSError, ssl.SSLError) as error:
        return 0, str(error)


def tls(port, expiry):
    status, text = tls_get(port, '/metrics', 'client')
    if status != 200 or f'\nfanfare_web_certificate_expiry_timestamp_seconds {expiry}\n' not in text:
        stop(f'{status} {text[-500:]}: not {expiry}')
    for name in (None, 'stranger'):
        for path in ('/', '/metrics', '/events'):
            status, text = tls_get(port, path, name)
            if status not in (0, 403):
                stop(f'{path} for {name}: {status} {text[:200]}')
    if not tls_get(port, '/', 'client')[1].startswith('<!doctype html>'):
        stop('no page for a client')


if __name__ == '__main__':
    {'page': page, 'away': away, 'clients': clients, 'tls': tls}[sys.argv[1]](*sys.argv[2:])
