"""The look of a card: scoped rules that follow the notebook's theme, with fallbacks where there is none.

Every rule starts with the card's own class, twice, to stand above the notebook's own rules for tables and
headings.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["STYLE"]

_RULES: Final = """
& {
  --lk-fg: var(--jp-ui-font-color1, var(--vscode-editor-foreground, #1f2328));
  --lk-dim: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #59636e));
  --lk-bg: var(--jp-layout-color1, var(--vscode-editor-background, #ffffff));
  --lk-soft: var(--jp-layout-color2, var(--vscode-textCodeBlock-background, #f0f2f4));
  --lk-line: var(--jp-border-color2, var(--vscode-panel-border, #d1d9e0));
  --lk-accent: var(--jp-brand-color1, #1976d2);
  --lk-good: var(--jp-success-color1, #2e7d32);
  --lk-warn: var(--jp-warn-color1, #b26a00);
  --lk-bad: var(--jp-error-color1, #c62828);
  --lk-mono: var(--jp-code-font-family, ui-monospace, "SF Mono", Menlo, Consolas, monospace);
  box-sizing: border-box; max-width: 64rem; margin: 2px 0 6px; padding: 10px 14px 12px;
  color: var(--lk-fg); background: var(--lk-bg);
  border: 1px solid var(--lk-line); border-radius: 6px;
  font: 13px/1.5 var(--jp-ui-font-family, system-ui, sans-serif); overflow-wrap: break-word;
}
& * { box-sizing: border-box; }
& .lk-head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 8px; margin: 0; }
& h4.lk-title {
  margin: 0; padding: 0; font-size: 15px; font-weight: 600; line-height: 1.5; color: var(--lk-fg);
}
& .lk-kind {
  font-size: 11px; letter-spacing: 0.05em; text-transform: uppercase; color: var(--lk-dim);
}
& .lk-badge {
  padding: 0 8px; border: 1px solid var(--lk-tone); border-radius: 9px;
  font-size: 11px; line-height: 17px; color: var(--lk-fg); background: var(--lk-soft);
}
& .lk-plain { --lk-tone: var(--lk-line); }
& .lk-good { --lk-tone: var(--lk-good); }
& .lk-warn { --lk-tone: var(--lk-warn); }
& .lk-bad { --lk-tone: var(--lk-bad); }
& summary.lk-fold { cursor: pointer; color: var(--lk-dim); }
& .lk-fold .lk-head { display: inline-flex; }
& .lk-fold .lk-title { font-size: 13px; color: var(--lk-dim); font-weight: 400; }
&.lk-bare { border: none; padding: 0 14px; background: none; }
& p { margin: 0; }
& .lk-sub, & .lk-note { color: var(--lk-dim); }
& .lk-note { margin-left: 0.6em; font-size: 12px; }
& h5.lk-sec {
  margin: 10px 0 2px; padding: 0; font-size: 12px; font-weight: 600; line-height: 1.5; color: var(--lk-dim);
}
& table.lk-table {
  width: auto; max-width: 100%; margin: 0; border-collapse: collapse; border: none; table-layout: auto;
  font-size: 13px; color: inherit; background: none;
}
& .lk-facts { margin-top: 6px; }
& tr.lk-row.lk-row { background: none; border: none; }
& tr.lk-row > th, & tr.lk-row > td {
  padding: 1px 18px 1px 0; text-align: left; vertical-align: top; border: none; white-space: normal;
  color: inherit; background: none; line-height: 1.5; font-size: 13px; max-width: none;
}
& tr.lk-row > th { font-weight: 400; color: var(--lk-dim); white-space: nowrap; }
& tr.lk-row > .lk-name { white-space: nowrap; }
& .lk-mono, & tr.lk-row > .lk-mono { font-family: var(--lk-mono); font-size: 12px; }
& tr.lk-row > .lk-num { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
& table.lk-grid tr.lk-row > th, & table.lk-grid tr.lk-row > td { padding-top: 3px; padding-bottom: 3px; }
& table.lk-grid thead tr.lk-row > th { font-size: 12px; border-bottom: 1px solid var(--lk-line); }
& table.lk-grid tbody tr.lk-row > th { color: var(--lk-fg); }
& table.lk-grid tbody tr.lk-row > th:not(.lk-name) { white-space: normal; }
& table.lk-grid tbody tr.lk-row > :first-child {
  border-left: 3px solid var(--lk-tone, transparent); padding-left: 8px;
}
& table.lk-grid thead tr.lk-row > :first-child { padding-left: 11px; }
& table.lk-grid caption { text-align: left; color: var(--lk-dim); padding: 0 0 2px; caption-side: top; }
& .lk-scroll { overflow-x: auto; max-width: 100%; }
& tr.lk-row > td.lk-barcell { width: clamp(40px, 13vw, 180px); vertical-align: middle; }
& .lk-bar { display: block; height: 8px; min-width: 2px; border-radius: 2px; background: var(--lk-accent); }
& tr.lk-total > th, & tr.lk-total > td {
  font-weight: 600; color: var(--lk-fg); border-top: 1px solid var(--lk-line);
}
& code.lk-code, & pre.lk-pre {
  font-family: var(--lk-mono); font-size: 12.5px; color: var(--lk-fg); background: var(--lk-soft);
  border: none;
}
& code.lk-code { padding: 1px 5px; border-radius: 3px; white-space: pre-wrap; }
& pre.lk-pre {
  margin: 0; padding: 6px 10px; max-height: 24em; overflow: auto; border-radius: 3px;
  border-left: 3px solid var(--lk-tone); line-height: 1.45; white-space: pre-wrap; word-break: normal;
}
& ul.lk-list { margin: 0; padding: 0 0 0 18px; }
& ul.lk-list > li { margin: 0; white-space: pre-wrap; }
& ul.lk-columns { columns: 2 340px; column-gap: 24px; }
& .lk-facts code.lk-code { user-select: all; -webkit-user-select: all; }
& ul.lk-warnings {
  margin: 10px 0 0; padding: 4px 10px; list-style: none; background: var(--lk-soft);
  border-left: 3px solid var(--lk-warn);
}
& ul.lk-warnings > li { margin: 0; white-space: pre-wrap; }
& .lk-next { margin-top: 10px; }
& .lk-next .lk-label { margin-right: 8px; color: var(--lk-dim); }
& .lk-next code.lk-code {
  display: inline-block; padding: 3px 8px; user-select: all; -webkit-user-select: all; cursor: copy;
}
"""


def _scoped(rules: str) -> str:
    text = re.sub(r"\s+", " ", rules.strip()).replace("&", ".lk-card.lk-card")
    return re.sub(r" ?([{};,]) ?", r"\1", text)


STYLE: Final = _scoped(_RULES)
"""The whole style sheet of a card, on one line."""
