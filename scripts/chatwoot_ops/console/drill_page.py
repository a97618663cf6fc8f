"""The page of drills: the newest certificate, and how size, duration and recovery time went over all of them.

One file that needs nothing from anywhere: no script, no style, font or picture of another place.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from chatwoot_ops.console.charts import Series, chart
from chatwoot_ops.model.certificate import Certificate
from chatwoot_ops.model.check import Check
from chatwoot_ops.model.size import show_size

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; vertical-align: top; }
.passed, .pass { color: #18794e; } .failed, .fail { color: #cd2b31; } .warn { color: #ad5700; }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: currentColor; }
svg .axis { stroke: currentColor; opacity: .3; } svg .line { fill: none; stroke: #3e63dd; stroke-width: 2; }
svg .passed { fill: #3e63dd; } svg .failed { fill: #cd2b31; }
"""


def drill_page(certificates: Sequence[Certificate], damaged: Sequence[str] = ()) -> str:
    """The page as HTML; `certificates` are oldest first, `damaged` are names of files that could not be read."""
    body = [_newest(certificates[-1])] if certificates else ["<p>No drill was made yet.</p>"]
    body += [f'<p class="failed">Cannot be read as a certificate: {escape(name)}</p>' for name in damaged]
    if certificates:
        body += [_plots(certificates), _history(certificates)]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Restore drills</title>\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style></head>\n<body>\n<h1>Restore drills</h1>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def seconds_of(certificate: Certificate) -> float:
    """How long the whole drill took, its removal left out."""
    began, ended = datetime.fromisoformat(certificate.began), datetime.fromisoformat(certificate.ended)
    return (ended - began).total_seconds()


def _verdict(certificate: Certificate) -> str:
    word = "passed" if certificate.passed else "failed"
    unsealed = ' <span class="warn">(no checksum)</span>' if certificate.unsealed else ""
    return f'<span class="{word}">{word}</span>{unsealed}'


def _newest(certificate: Certificate) -> str:
    fake = " (a FAKE of Chatwoot ran, not a real one)" if certificate.fake else ""
    facts = {
        "Set": f"{certificate.set} ({certificate.kind}, {show_size(certificate.size_bytes)})",
        "Release": f"{certificate.release}{fake}",
        "Image": certificate.image,
        "Installation": certificate.instance,
        "Drilled": f"{certificate.began} to {certificate.ended}",
        "Taken from": certificate.origin or ("the off-site copy" if certificate.from_remote else "this machine"),
        **({"Until it could be used": f"{certificate.usable_seconds} s"} if certificate.usable_seconds else {}),
        "From restore to proof": f"{certificate.recovery_seconds} s" if certificate.recovery_seconds else "not reached",
        "Came back": f"{certificate.rows} rows in {certificate.tables} tables, {certificate.files_proved} files proved",
        **({"Why it failed": certificate.why} if certificate.why else {}),
        **({"Certificate": certificate.unsealed} if certificate.unsealed else {}),
    }
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts.items())
    checks = "".join(_check(check) for check in certificate.checks)
    table = f"<h3>Checks</h3>\n<table>{checks}</table>" if checks else ""
    return f"<h2>The newest drill {_verdict(certificate)}</h2>\n<table>{rows}</table>\n{table}"


def _check(check: Check) -> str:
    return (
        f'<tr><td class="{escape(check.outcome.value)}">{escape(check.outcome.value)}</td>'
        f"<td>{escape(check.name)}</td><td>{escape(check.seen)}</td></tr>"
    )


def _plots(certificates: Sequence[Certificate]) -> str:
    times, passed = [each.began for each in certificates], [each.passed for each in certificates]
    drawn = (
        Series("Recovery time", [each.recovery_seconds for each in certificates], lambda value: f"{value:.1f} s"),
        Series("Duration of the drill", [seconds_of(each) for each in certificates], lambda value: f"{value:.0f} s"),
        Series("Size of the set", [float(each.size_bytes) for each in certificates], show_size),
    )
    return "<h2>History</h2>\n" + "\n".join(chart(series, times, passed) for series in drawn)


def _history(certificates: Sequence[Certificate]) -> str:
    head = "<tr><th>Drilled</th><th>Set</th><th>Size</th><th>Duration</th><th>Recovery</th><th>Result</th></tr>"
    rows = "".join(
        f"<tr><td>{escape(each.began)}</td><td>{escape(each.set)}</td><td>{show_size(each.size_bytes)}</td>"
        f"<td>{seconds_of(each):.0f} s</td><td>{each.recovery_seconds:.1f} s</td><td>{_verdict(each)}</td></tr>"
        for each in reversed(certificates)
    )
    return f"<table>{head}{rows}</table>"
