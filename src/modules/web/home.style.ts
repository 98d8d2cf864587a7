import { Html } from './html.js';

/** The page's one style sheet, in the page. Its hash stands in the Content-Security-Policy, so nothing a name could smuggle in applies. */
export const HOME_STYLE = new Html(`
:root{--paper:#fbfaf6;--ink:#1b2226;--soft:#5c666b;--line:#dcd9cf;--fill:#efece3;--accent:#0a6a66;--ok:#2e8540;--wait:#b7791f;--bad:#b3372b;--still:#9aa3a6}
@media (prefers-color-scheme:dark){:root{--paper:#131719;--ink:#e6e7e2;--soft:#99a3a5;--line:#2b3235;--fill:#1d2325;--accent:#63c7bb;--ok:#5fb878;--wait:#e0aa4b;--bad:#f0796b;--still:#657074}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem clamp(1rem,4vw,3rem) 4rem;max-width:78rem;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}
a{color:var(--accent);text-underline-offset:.18em;text-decoration-thickness:1px}
a:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
h1,h2,p{margin:0}
h1{font-size:clamp(1.6rem,4vw,2.3rem);font-weight:600;letter-spacing:-.02em;line-height:1.15;overflow-wrap:anywhere}
h1 span{font-weight:400;color:var(--soft)}
h2{font-size:.8rem;font-weight:600;letter-spacing:.04em;color:var(--soft);margin:2.75rem 0 .5rem;padding-bottom:.4rem;border-bottom:1px solid var(--line)}
small{display:block;color:var(--soft);font-size:.8rem;font-weight:400;overflow-wrap:anywhere}
.brand{display:flex;align-items:center;gap:.4rem;margin-bottom:1.75rem}
.brand span,.of,.legend,.rest,.answers span,.sources span{color:var(--soft)}
.mark{width:1.5rem;height:1.5rem;fill:none;stroke:var(--ink);stroke-width:1.8;stroke-linecap:round}
.mark .hand{stroke:var(--accent)}.mark circle{fill:var(--accent);stroke:none}
.facts{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:.6rem 0 1.75rem;color:var(--soft)}
.dot{display:inline-block;width:.55rem;height:.55rem;border-radius:50%;margin-right:.45rem;background:var(--still)}
.dot.running,.dot.ok{background:var(--ok)}.dot.paused,.dot.suspended,.dot.initializing,.dot.standby,.dot.created{background:var(--wait)}.dot.failing,.dot.degraded{background:var(--bad)}.dot.off{background:none;border:1.5px solid var(--still)}
.notice{border-left:3px solid var(--wait);background:var(--fill);padding:.6rem .9rem;margin-bottom:1.25rem}
.warn{color:var(--bad)}
table{width:100%;border-collapse:collapse}
th,td{padding:.55rem .75rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{padding-left:0}th:last-child,td:last-child{padding-right:0}
thead th{color:var(--soft);font-size:.8rem;font-weight:400;vertical-align:bottom;white-space:nowrap}
tbody th{font-weight:600;min-width:11rem;max-width:24rem}
td{white-space:nowrap}td small{white-space:normal;max-width:14rem}
tbody tr:hover{background:var(--fill)}
.n{text-align:right}
.links a{margin-left:.5rem}
.links{text-align:right}
.bar{display:block;width:0;min-width:100%;height:3px;margin-top:.35rem}.bar rect{fill:var(--line)}.bar .part{fill:var(--accent)}
.legend,.rest{font-size:.85rem;margin-top:.9rem;max-width:60rem}
.empty{max-width:44rem}
.empty pre{background:var(--fill);padding:.9rem 1rem;margin:.9rem 0;overflow-x:auto}
pre,code{font-family:ui-monospace,monospace;font-size:.9rem}
ul{list-style:none;margin:0;padding:0}
.answers{columns:2 24rem;column-gap:3rem}
.answers li{display:grid;grid-template-columns:9rem 1fr;gap:.75rem;padding:.2rem 0;break-inside:avoid}
.answers a{overflow-wrap:anywhere}
.sources>li{display:grid;grid-template-columns:9rem 9rem 1fr;gap:0 .75rem;padding:.3rem 0}
.brief>li{grid-template-columns:14rem 1fr}
.sources b{font-weight:600}.sources em{font-style:normal}.sources .off b,.sources .off em{font-weight:400;color:var(--soft)}
.sources .failing em,.sources .failing>span{color:var(--bad)}
.sources span,.problems{overflow-wrap:anywhere}
.problems{grid-column:3;font-size:.85rem;color:var(--wait)}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
@media (max-width:52rem){
table,tbody{display:block}thead{display:none}
tbody tr{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:.35rem 1.25rem;padding:.9rem 0;border-bottom:1px solid var(--line)}
tbody tr:hover{background:none}
th,td,.links{display:block;border:0;padding:0;text-align:left;min-width:0}
tbody th,.links{grid-column:1/-1}
td.n{display:flex;flex-wrap:wrap;justify-content:space-between;white-space:normal}
td.n::before{content:attr(data-label);color:var(--soft);font-size:.85rem}
td:nth-child(2){grid-column:1/-1}
.links a{margin:0 .9rem 0 0}
.sources>li{grid-template-columns:1fr auto}.sources span,.problems{grid-column:1/-1}
.answers li{grid-template-columns:8rem 1fr}
}
@media print{body{max-width:none;padding:0}.links{display:none}}
`);
