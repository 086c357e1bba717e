"""The log-in and consent page, as an administrator sees it."""

from collections.abc import Iterable, Mapping
from html import escape

from hris_pipeline.sandbox.oauth import SCOPES
from hris_pipeline.sandbox.world import PASSWORD, USERNAME

__all__ = ["login_page", "problem_page"]

STYLE = """
body{margin:0;min-height:100vh;display:grid;place-items:center;background:#eef1f6;color:#1c2733;
font:16px/1.5 system-ui,sans-serif}
main{width:min(26rem,92vw);background:#fff;border-radius:14px;padding:2rem;box-shadow:0 8px 30px #1c273322}
h1{font-size:1.3rem;margin:0 0 .3rem}p{margin:.2rem 0 1rem;color:#51606f}
label{display:block;margin:.7rem 0 .2rem;font-weight:600}
input[type=text],input[type=password]{width:100%;box-sizing:border-box;padding:.6rem .7rem;border:1px solid #c4cdd8;
border-radius:8px;font:inherit}
fieldset{border:1px solid #dfe5ec;border-radius:8px;margin:1.2rem 0;padding:.4rem 1rem .8rem}
fieldset label{display:flex;gap:.6rem;font-weight:400;margin:.5rem 0}
button{padding:.65rem 1.2rem;border:0;border-radius:8px;font:inherit;font-weight:600;cursor:pointer}
.allow{background:#1f5eff;color:#fff}.deny{background:none;color:#51606f}
.hint{background:#fff7df;border-radius:8px;padding:.5rem .8rem;color:#5d4a00}
.problem{background:#fde8e8;border-radius:8px;padding:.5rem .8rem;color:#8f1d1d}
"""


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def login_page(asked: Iterable[str], hidden: Mapping[str, str], problem: str = "") -> str:
    """The form: log-in, one consent box a scope asked for (dates of birth unticked), and what to carry along."""
    carried = "".join(f'<input type="hidden" name="{escape(k)}" value="{escape(v)}">' for k, v in hidden.items())
    boxes = "".join(
        f'<label><input type="checkbox" name="consent" value="{escape(scope)}"'
        f"{'' if scope == 'member.dob:read' else ' checked'}> {escape(SCOPES[scope])}</label>"
        for scope in asked
    )
    problem_line = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    return _page(
        "Sign in to Justworks (sandbox)",
        "<p>An application asks to read the people of your company.</p>"
        f'<p class="hint">This is a sandbox: username <b>{USERNAME}</b>, password <b>{PASSWORD}</b>.</p>{problem_line}'
        f'<form method="post">{carried}'
        '<label for="username">Username</label><input id="username" type="text" name="username" autofocus required>'
        '<label for="password">Password</label><input id="password" type="password" name="password" required>'
        f"<fieldset><legend>It may read</legend>{boxes}</fieldset>"
        '<button class="allow" name="decision" value="allow">Sign in and allow</button> '
        '<button class="deny" name="decision" value="deny" formnovalidate>Deny</button></form>',
    )


def problem_page(problem: str) -> str:
    """A page that only says what is wrong."""
    return _page("This link does not work", f'<p class="problem" role="alert">{escape(problem)}</p>')
