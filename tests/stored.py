"""A storage volume as a folder: what a backup or restore runs on it is really run, by this machine's tar and shell."""

from __future__ import annotations

import json
import subprocess

from chatwoot_ops.model.command import Finished
from fakes import SPOKEN
from keeping import HIGH_VALUES, LOW, SNAPSHOT
from sets import DATA, blob_lines, checksum, digest_lines


class StorageVolume:
    """Files by key, and rows that say what they must be; the row goes and comes with the file unless told otherwise."""

    def __init__(self, folder, work):
        self.folder, self.work, self.rows = folder, work, {}
        folder.mkdir()
        work.mkdir()

    def place(self, key):
        return self.folder / key[:2] / key[2:4] / key

    def write(self, key, content):
        self.damage(key, content)
        self.rows[key] = (len(content.encode()), checksum(content.encode()))

    def damage(self, key, content):
        self.place(key).parent.mkdir(parents=True, exist_ok=True)
        self.place(key).write_text(content, encoding="utf-8")

    def lose(self, key):
        self.place(key).unlink()

    def delete(self, key):
        self.lose(key)
        del self.rows[key]

    def files(self):
        found = (each for each in self.folder.rglob("*") if each.is_file())
        return {each.name: each.read_text(encoding="utf-8") for each in found}

    def attach(self, host):
        """Answers what is run on the volume, and tells the rows to a backup and to a restored cluster."""
        engine = host.processes
        engine.on_call("--entrypoint tar", self._tar).on_call("md5sum {} +", self._script)
        engine.on_call("mkdir .restore", self._script).on_call("-printf '%f %s", self._script)
        engine.on_call(f"ON_ERROR_STOP=1 -U postgres -d chatwoot_production\n{SPOKEN}", self._asked)
        engine.on_call(f"-h 127.0.0.1 -U postgres -d chatwoot_production\n{SPOKEN}", self._restored)
        return self

    def _tar(self, command):
        argv = command.argv[command.argv.index("--create") :]
        return self._run(["tar", "--mtime=@0", *(self._here(each) for each in argv)], command)

    def _script(self, command):
        return self._run(["sh", "-c", self._here(command.argv[-1])], command)

    def _here(self, text):
        return text.replace("/volume", str(self.folder)).replace("/tmp/s", f"{self.work}/s")

    @staticmethod
    def _run(argv, command):
        done = subprocess.run(argv, input=command.stdin, capture_output=True, text=True, check=False)
        return Finished(done.returncode, done.stdout, done.stderr)

    def _rows(self):
        # The answers end in an empty list also where there is no row.
        return blob_lines(self.rows) if self.rows else ["[]"]

    def _asked(self, _):
        said = [LOW, SNAPSHOT, *self._rows(), *digest_lines(DATA), json.dumps(["sequences", HIGH_VALUES])]
        return Finished(0, "\n".join(said), "")

    def _restored(self, _):
        return Finished(0, "\n".join([*self._rows(), '["end"]', *digest_lines(DATA)]), "")
