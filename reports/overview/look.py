"""Look: the style sheet of the overview's page, for wide and narrow screens, light and dark, and for paper."""

from chaos_harness.reports.picture.colours import style

__all__ = ["style_sheet"]

_RULES = """
:root { color-scheme: light dark }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; overflow-wrap: anywhere }
main { max-width: 1320px; margin: 0 auto; padding: 20px 28px 60px }
h1 { font-size: 30px; line-height: 1.25; margin: 6px 0 10px; max-width: 32em }
h2 { font-size: 20px; margin: 40px 0 10px }
h3 { font-size: 16px; margin: 0 }
p, ul, dl { margin: 6px 0 }
a { color: var(--good) }
small, .muted, figcaption { color: var(--muted); font-size: 13px }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; justify-content: space-between; font-size: 14px }
.counts { display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 10px; list-style: none; padding: 0;
  margin: 22px 0 }
.counts li { border: 1px solid var(--line); border-left: 6px solid var(--tone); border-radius: 6px; padding: 8px 12px }
.counts b { display: block; font-size: 26px; line-height: 1.2 }
.counts li.none { border-left-color: var(--line); color: var(--muted) }
.counts a { color: inherit; text-decoration: none; display: block }
.surprise { --tone: var(--lost) } .broken { --tone: var(--silent) } .inconclusive { --tone: var(--waiting) }
.known, .predicted { --tone: var(--starting) } .held { --tone: var(--ready) }
.alert { border: 2px solid var(--lost); border-radius: 6px; padding: 8px 14px; font-weight: 600 }
.badge { display: inline-block; border: 1px solid var(--tone); border-left-width: 6px; border-radius: 4px;
  padding: 0 7px; margin: 2px 4px 2px 0; font-size: 13px }
.claims { list-style: none; padding: 0 }
.claims > li { border-left: 6px solid var(--tone); padding: 4px 12px; margin: 10px 0 }
table { border-collapse: collapse; width: 100%; table-layout: fixed }
thead th:nth-child(1) { width: 23% } thead th:nth-child(4) { width: 18% } thead th:nth-child(5) { width: 23% }
th, td { text-align: left; vertical-align: top; padding: 10px 12px 10px 0; border-top: 1px solid var(--line) }
thead th { border: 0; font-size: 13px; color: var(--muted); font-weight: 600; padding-bottom: 4px }
tbody th { font-weight: 600 }
td b { font-size: 18px; white-space: nowrap } td small { display: block }
td .more { margin-top: 4px }
.times { display: grid; grid-template-columns: auto 1fr; gap: 0 8px; margin: 0; white-space: nowrap }
.times dt { color: var(--muted) } .times dd { margin: 0 }
.unseen { color: var(--ink); border-left: 6px solid var(--waiting); padding-left: 8px; font-size: 13px }
article { border-top: 1px solid var(--line); padding: 16px 0; break-inside: avoid }
.title { display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: baseline }
figure { margin: 10px 0 }
.strips { display: grid; grid-template-columns: 190px 1fr; gap: 3px 12px; align-items: center }
.strips svg { width: 100%; display: block;
  background: linear-gradient(var(--line), var(--line)) bottom / 100% 1px no-repeat }
.strips span { font-size: 13px; text-align: right; color: var(--muted); line-height: 1.2 }
.axis { display: flex; justify-content: space-between; font-size: 12px; color: var(--muted) }
summary { cursor: pointer; color: var(--good); font-size: 14px }
.whole { overflow-x: auto } .whole img { width: 1000px; max-width: none; display: block }
pre { background: color-mix(in srgb, var(--line) 45%, transparent); padding: 8px 12px; border-radius: 6px;
  margin: 6px 0; white-space: pre-wrap; font-size: 13px }
.key i { display: inline-block; width: 14px; height: 10px; margin: 0 5px 0 12px }
.k-fault { background: var(--fault) } .k-unproved { background: var(--fault); opacity: .35 }
.k-lost { background: var(--lost) }
.k-good { background: var(--good) } .k-silent { background: var(--silent) }
.k-waiting { background: repeating-linear-gradient(45deg, var(--waiting) 0 3px, transparent 3px 5px) }
@media screen and (max-width: 1000px) {
  .counts { grid-template-columns: repeat(3, 1fr) }
}
@media screen and (max-width: 760px) {
  main { padding: 14px 14px 40px } h1 { font-size: 23px }
  .counts { grid-template-columns: repeat(2, 1fr) }
  .strips { grid-template-columns: 96px 1fr; gap: 3px 8px }
  .strips span { font-size: 12px }
  thead { display: none } table, tbody, tr, th, td { display: block; width: 100% }
  tbody th { width: 100% } tr { border-top: 1px solid var(--line); padding: 8px 0 } th, td { border: 0; padding: 3px 0 }
  td[data-label]::before { content: attr(data-label); display: block; color: var(--muted); font-size: 12px;
    font-weight: 600 }
}
@media print {
  main { max-width: none; padding: 0 } body { font-size: 12px } h1 { font-size: 22px } a { color: inherit }
  nav a, summary, .skip { display: none } tr, .claims > li { break-inside: avoid } td b { font-size: 13px }
  td, th, small, td p { font-size: 10.5px } .badge, .unseen { font-size: 10px } th, td { padding: 5px 8px 5px 0 }
  h2, h3 { break-after: avoid } * { print-color-adjust: exact }
}
"""


def style_sheet() -> str:
    """Return the style sheet as an element, with the colours of all pictures."""
    return f"{style()}<style>{_RULES}</style>"
