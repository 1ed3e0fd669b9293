#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What metrics.sh asks of scrapes, of Prometheus and of the files that name metrics. Each command exits with 1 and says why when it is not so."""

import csv
import json
import re
import socket
import sys
import time
import urllib.parse
import urllib.request

SAMPLE = re.compile(r'^([a-z_]+)(\{[^}]*\})? (\S+)$')

# What does not change in metrics.sh, and where it is seen to change.
STANDS_STILL = {
    'fanfare_build_info': 'is what it is',
    'fanfare_tsc_hertz': 'is what it is',
    'fanfare_link_up': 'a ring has no link; tests/test_north_web.c shows it down',
    'fanfare_port_lost_frames_total': 'a ring loses nothing; tests/test_dataplane.c counts losses',
    'fanfare_store_failed_writes_total': 'tests/test_metrics.c lets a disk fail',
    'fanfare_store_failing': 'tests/test_metrics.c lets a disk fail',
    'fanfare_key_due_groups': 'tests/test_keyring.c has a key of another node',
    'fanfare_key_failures_total': 'tests/test_keyring.c has a key without a form',
    'fanfare_audit_lost_records_total': 'tests/test_audit.c has a reader that does not read',
    'fanfare_census_walk_seconds': 'one step sees 3,000 contexts; tests/test_metrics.c has walks of several',
    'fanfare_web_certificate_expiry_timestamp_seconds': 'tests/e2e/web.sh has TLS',
}


def stop(why):
    print(why)
    sys.exit(1)


def get(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
        return answer.read().decode()


def samples(path):
    found = {}
    for line in open(path):
        match = SAMPLE.match(line.rstrip('\n'))
        if match:
            found[match[1] + (match[2] or '')] = float(match[3])
        elif not line.startswith('#'):
            stop(f'{path}: no sample: {line}')
    return found


def families(path):
    return [line.split()[2] for line in open(path) if line.startswith('# TYPE ')]


def fetch(url):
    print(get(url), end='')


def population(path):
    """Of 3,000 UEs: 10 at 150 of the window and 20 at 200, 5 with 255 leased COUNTs and 7 with none, 5 unreachable."""
    rows = list(csv.reader(open(path)))
    out = csv.writer(sys.stdout, lineterminator='\n')
    out.writerow(rows[0] + ['unacknowledged', 'count_reserved', 'reachable'])
    for i, row in enumerate(rows[1:]):
        row[rows[0].index('count')] = '5000'
        gap = '150' if 1000 <= i < 1010 else '200' if 1010 <= i < 1030 else '0'
        reserved = '5255' if 1100 <= i < 1105 else '5000' if 1105 <= i < 1112 else '1000000'
        out.writerow(row + [gap, reserved, '0' if 1200 <= i < 1205 else '1'])


def subscribe(url):
    with urllib.request.urlopen(url, timeout=60) as stream:
        for _ in stream:
            pass


def equal(scrape, status):
    now, said = samples(scrape), json.load(open(status))
    for metric, member in (('fanfare_contexts', 'ues'), ('fanfare_groups', 'groups'),
                           ('fanfare_store_checkpoints_total', 'checkpoints')):
        if now[metric] != said[member]:
            stop(f'{metric} is {now[metric]}, {member} {said[member]}')
    flying = sum(value for name, value in now.items() if name.startswith('fanfare_messages_in_flight'))
    if flying != said['messages_in_flight'] or now[f'fanfare_state{{state="{said["state"]}"}}'] != 1:
        stop(f'{flying} messages in flight: {said}')


def rises(before, after):
    then, now = samples(before), samples(after)
    for name, value in then.items():
        if re.search(r'_(total|bucket|count|sum)(\{|$)', name) and now[name] < value:
            stop(f'{name} fell from {value} to {now[name]}')


def moved(*paths):
    scrapes = [samples(path) for path in paths]
    for family in families(paths[0]):
        values = set()
        for scrape in scrapes:
            values.add(tuple(sorted((name, value) for name, value in scrape.items()
                                    if re.sub(r'\{.*', '', name) in (family, family + '_bucket'))))
        values.discard(())
        if len(values) < 2 and family not in STANDS_STILL:
            stop(f'{family} stands still in {len(paths)} scrapes: {values}')
        if len(values) >= 2 and family in STANDS_STILL:
            stop(f'{family} moves: it is no exception any more')


def openmetrics(url):
    from prometheus_client.openmetrics import parser
    text = get(url, Accept='application/openmetrics-text;version=1.0.0,text/plain;q=0.5')
    names = [family.name for family in parser.text_string_to_metric_families(text)]
    if len(names) < 30:
        stop(f'only {names}')


def telemetry(scrape, path):
    now = samples(scrape)
    said = [json.loads(line) for line in re.findall(r'\{.*\}', open(path).read())]
    answers = {name: answer for one in said for name, answer in one.items() if name.startswith('/fanfare')}
    worker = [one['/fanfare/worker'] for one in said if '/fanfare/worker' in one]

    def total(name, **labels):
        return sum(value for sample, value in now.items() if sample.startswith(name + '{') and
                   all(f'{key}="{label}"' in sample for key, label in labels.items()))
    for member, metric in (('created', 'fanfare_pdus_created_total'), ('sent', 'fanfare_pdus_sent_total'),
                           ('bytes_out', 'fanfare_sent_bytes_total')):
        if answers['/fanfare/pdus'][member] != total(metric) or worker[0][member] != total(metric, worker=1):
            stop(f'{member}: {answers} {worker}, {total(metric)} in the scrape')
    for reason, count in answers['/fanfare/drops'].items():
        if count != total('fanfare_pdus_dropped_total', reason=reason.replace('_', '-')):
            stop(f'{reason}: {count} dropped')
    if len(answers['/fanfare/drops']) != 10:
        stop(f'reasons are missing: {answers}')
    if answers['/fanfare/engines']['lockstep_pdus' if 'lockstep_pdus' in answers['/fanfare/engines'] else 'ipsec_mb_pdus'] == 0:
        stop(f'no engine has done anything: {answers}')
    if worker[1] is not None:
        stop(f'worker 7 of two: {worker}')


def ask(prometheus, path, **query):
    answer = json.loads(get(f'{prometheus}/api/v1/{path}?{urllib.parse.urlencode(query)}'))
    if answer['status'] != 'success':
        stop(f'{path} {query}: {answer}')
    return answer['data']


def scraped(prometheus):
    for metric, value in (('up{job="fanfare"}', '1'), ('fanfare_contexts', '3000')):
        result = ask(prometheus, 'query', query=metric)['result']
        if len(result) != 1 or result[0]['value'][1] != value:
            stop(f'{metric}: {result}')


# What has nothing to show in metrics.sh.
EMPTY = ('fanfare_web_certificate_expiry_timestamp_seconds', )


def queries(prometheus, path):
    """Every query of the dashboard has an answer, of every rule Prometheus says that it is well, and none fires."""
    board = json.load(open(path))
    for target in (target for panel in board['panels'] for target in panel['targets']):
        query = target['expr'].replace('$__rate_interval', '10s').replace('$instance', '.*')
        if not ask(prometheus, 'query', query=query)['result'] and not query.startswith(EMPTY):
            stop(f'nothing for {query}')
    for group in ask(prometheus, 'rules')['groups']:
        for rule in group['rules']:
            if rule['health'] != 'ok':
                stop(f'{rule["name"]}: {rule}')


def rules(folder):
    """Each alert has a test in which it fires, and a row in the manual; the dashboard is one that Grafana takes."""
    alerts = re.findall(r'- alert: (\w+)', open(f'{folder}/alerts.yml').read())
    tests, manual = open(f'{folder}/alerts_test.yml').read(), open(f'{folder}/README.md').read()
    for alert in alerts:
        if not re.search(rf'alertname: {alert}\n +eval_time: \S+\n +exp_alerts:\n +- exp_labels', tests):
            stop(f'{alert} has no test in which it fires')
        if f'| `{alert}` |' not in manual:
            stop(f'{alert} is not in the manual')
    board = json.load(open(f'{folder}/dashboard.json'))
    sources = [one for one in board['templating']['list'] if one['type'] == 'datasource' and one['query'] == 'prometheus']
    if not board['uid'] or board['schemaVersion'] < 38 or [one['name'] for one in sources] != ['datasource']:
        stop('dashboard.json: uid, schemaVersion or the variable of the data source')
    ids = [panel['id'] for panel in board['panels']]
    if len(set(ids)) != len(ids):
        stop('dashboard.json: an id twice')
    for panel in board['panels']:
        for source in [panel['datasource']] + [target['datasource'] for target in panel['targets']]:
            if source != {'type': 'prometheus', 'uid': '${datasource}'}:
                stop(f'dashboard.json: {panel["title"]} has a data source of its own')
        x, y, w, h = (panel['gridPos'][key] for key in 'xywh')
        if x + w > 24 or not panel['description'] or h < 3:
            stop(f'dashboard.json: {panel["title"]} lies outside, or is not described')


if __name__ == '__main__':
    commands = (fetch, population, subscribe, equal, rises, moved, openmetrics, telemetry, scraped, queries, rules)
    {command.__name__: command for command in commands}[sys.argv[1]](*sys.argv[2:])
