#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Completion in the shells themselves: bash and zsh at a terminal, and fish's own answer, each with nothing but the files that `make install` has put
# under build/stage, at the places where the shells look. Takes the program's path from FANFARE.
set -u
fanfare=$(realpath "${FANFARE:-build/fanfare}")
share=$(realpath build/stage/usr/local/share 2>/dev/null)
[ -x "$fanfare" ] && [ -d "$share/zsh" ] || { echo 'nothing is installed below build/stage (make examples)'; exit 77; }
command -v python3 >/dev/null || { echo 'python3 types at the shells: not found'; exit 77; }
mkdir "$TMPDIR/folder" && touch "$TMPDIR/folder/longest"
python3 - "$fanfare" "$share" "$TMPDIR" <<'END'
import os, pathlib, pty, re, select, shutil, signal, subprocess, sys, time

fanfare, share, work = sys.argv[1:]
WAIT_S = 60
LOADER = "/usr/share/bash-completion/bash_completion"
faults = 0
# What is typed, and what Tab makes of it.
CASES = [
    ("fanfare fano", "fanfare fanout"),
    ("fanfare next", "fanfare next-hop"),
    ("fanfare --vers", "fanfare --version"),
    ("fanfare ue imp", "fanfare ue import"),
    ("fanfare next-hop rel", "fanfare next-hop relay"),
    ("fanfare fanout --no-v", "fanfare fanout --no-verify"),
    ("fanfare ue import --on", "fanfare ue import --on-error"),
    ("fanfare ue import --format j", "fanfare ue import --format jsonl"),
    ("fanfare group add --profile eps-nas-n", "fanfare group add --profile eps-nas-nidd"),
    ("fanfare fanout --profile eps-nas-sms,5gs-nas-c", "fanfare fanout --profile eps-nas-sms,5gs-nas-ciot"),
    ("fanfare fanout --integrity=n", "fanfare fanout --integrity=none"),
    ("fanfare fanout --message longes", "fanfare fanout --message longest"),
    ("fanfare t8 --config longes", "fanfare t8 --config longest"),
    ("fanfare ue import longes", "fanfare ue import longest"),
    ("fanfare ue import longest --on", "fanfare ue import longest --on-error"),
    ("fanfare send longes", "fanfare send longes"),
    ("fanfare completion fi", "fanfare completion fish"),
    ("fanfare help eng", "fanfare help engines"),
    ("fanfare fanout --ues 1", "fanfare fanout --ues 1"),
    ("fanfare fanout -- --no-v", "fanfare fanout -- --no-v"),
    ("fanfare fanout --p", "fanfare fanout --p"),
]


def fault(text):
    global faults
    faults += 1
    print("FAULT:", text)


class Terminal:
    """A shell at a terminal, in which a key writes its line into a pipe and empties it."""

    def __init__(self, command, setting_up):
        self.name = command[0]
        pipe = f"{work}/{self.name}.pipe"
        os.mkfifo(pipe)
        environment = {"PATH": f"{os.path.dirname(fanfare)}:/usr/bin:/bin", "HOME": work, "TERM": "dumb", "PIPE": pipe, "LC_ALL": "C.UTF-8",
                       "XDG_DATA_DIRS": f"{share}:/usr/share", "SHARE": share, "LOADER": LOADER}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(f"{work}/folder")
            os.execvpe(command[0], command, environment)
        self.pipe, self.said = os.open(pipe, os.O_RDWR), b""
        for line in setting_up + ["echo ready > $PIPE"]:
            os.write(self.terminal, line.encode() + b"\n")
        self.hear("set up")

    def hear(self, what):
        """A line of the pipe; what comes to the terminal meanwhile is kept for a fault's report."""
        heard, end = b"", time.monotonic() + WAIT_S
        while not heard.endswith(b"\n"):
            ready = select.select([self.pipe, self.terminal], [], [], max(0, end - time.monotonic()))[0]
            if not ready:
                sys.exit(f"FAULT: {self.name} does not answer: {what}: {self.said[-2000:].decode(errors='replace')}")
            if self.terminal in ready:
                self.said += os.read(self.terminal, 4096)
            if self.pipe in ready:
                heard += os.read(self.pipe, 4096)
        return heard.decode()[:-1]

    def complete(self, line):
        os.write(self.terminal, line.encode() + b"\t\x18p")
        return self.hear(line)

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class Fish:
    name = "fish"

    def words(self, line):
        """What it offers. It asks for the completions of commands that it finds alone."""
        environment = dict(os.environ, HOME=work, XDG_CONFIG_HOME=work, XDG_DATA_HOME=work, XDG_DATA_DIRS=f"{share}:/usr/share",
                           PATH=f"{os.path.dirname(fanfare)}:/usr/bin:/bin", TERM="dumb")
        answer = subprocess.run(["fish", "-c", "complete -C $argv[1]", line], capture_output=True, text=True, cwd=f"{work}/folder", env=environment, timeout=WAIT_S)
        if answer.returncode != 0 or answer.stderr:
            fault(f"fish: {line}: {answer.stderr[:400]}")
        return [word.split("\t")[0] for word in answer.stdout.splitlines()]

    def complete(self, line):
        words = self.words(line)
        before, last = re.fullmatch(r"(.* )?(\S*)", line).groups()
        whole = os.path.commonprefix(words)
        return (before or "") + (whole if whole.startswith(last) else last)

    def end(self):
        pass


def bash():
    return Terminal(["bash", "--norc", "--noprofile", "-i"],
                    ["PS1=; bind 'set enable-bracketed-paste off'; bind 'set bell-style none'",
                     'report() { printf "%s\\n" "$READLINE_LINE" > $PIPE; READLINE_LINE=; }', "bind -x '\"\\C-xp\": report'",
                     'if [ -e $LOADER ]; then . $LOADER; else . $SHARE/bash-completion/completions/fanfare; fi'])


def zsh():
    return Terminal(["zsh", "-f", "-i"],
                    ["PS1=; unsetopt beep auto_list auto_menu; fpath=($SHARE/zsh/site-functions $fpath); autoload -Uz compinit; compinit -u -D",
                     'report() { print -r -- "$BUFFER" > $PIPE; BUFFER= }', "zle -N report; bindkey '^Xp' report"])


def options_of(command):
    """The options that --help tells of."""
    told = subprocess.run([fanfare, "help", *command], capture_output=True, text=True, check=True).stdout
    return told, set(re.findall(r"^  (--[a-z0-9-]+)", told, re.M)) | {"--help"}


def every_option(fish):
    """What fish offers of each command are the options that --help tells of."""
    told, _ = options_of([])
    count = 0
    for name in re.findall(r"^  ([a-z0-9-]+)  ", told, re.M):
        subcommands = re.findall(r"^  ([a-z0-9-]+)  ", options_of([name])[0].partition("Subcommands:")[2].partition("\n\n")[0], re.M)
        for command in [[name, subcommand] for subcommand in subcommands] or [[name]]:
            line = " ".join(["fanfare", *command, "--"])
            offered = {word.rstrip("=") for word in fish.words(line)}
            if offered != options_of(command)[1]:
                fault(f"fish: {line} offers {sorted(offered ^ options_of(command)[1])} too many or too few")
            count += len(offered)
    if count < 100:
        fault(f"few options: {count}")


absent = []
for name, open_shell in (("bash", bash), ("zsh", zsh), ("fish", Fish)):
    if shutil.which(name) is None:
        absent.append(name)
        continue
    shell = open_shell()
    for line, wanted in CASES:
        got = shell.complete(line).rstrip(" ")
        # An option that takes a value may have the sign behind it already, and an element of a list its comma.
        if got != wanted and got not in (wanted + "=", wanted + ","):
            fault(f"{name}: '{line}' becomes '{got}', not '{wanted}'")
    shell.end()
    if name == "fish":
        every_option(shell)
if not os.path.exists(LOADER):
    absent.append("bash-completion")
if faults:
    sys.exit(1)
if absent:
    print(f"completion: not there, and so not tested: {', '.join(absent)}")
    sys.exit(77)
END
