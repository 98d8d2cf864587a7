import { homeLinks } from './home.links.js';
import type { HomeReport, HomeRow, HomeSource } from './home.report.js';
import { HOME_STYLE } from './home.style.js';
import { type Html, html } from './html.js';
import { bytes, bytesPerSecond, cores, some, UNKNOWN } from './readable.js';
import { advice, starterCommand } from './starter.js';

const PROBLEMS_SHOWN = 5;
const NOTHING = html``;

/** The page for people: no script, nothing fetched. */
export function homePage(report: HomeReport): string {
  const { hostName, version, total } = report;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${hostName === '' ? 'vmgauge' : `${hostName} · vmgauge`}</title>
<link rel="icon" href="data:,">
<style>${HOME_STYLE}</style>
</head>
<body>
<header>
<p class="brand">${MARK}<b>vmgauge</b> <span>${version}</span></p>
<h1>${total === 0 ? 'No virtual machine' : some(total, 'virtual machine')} <span>on <bdi>${hostName}</bdi></span></h1>
<p class="facts">${facts(report)}</p>
</header>
<main>
${advice(report).map((line) => html`<p class="notice">${line}</p>`)}
${total === 0 ? EMPTY : table(report)}
${sources(report)}
${readings(report)}
</main>
<nav aria-labelledby="answers">
<h2 id="answers">What this agent answers</h2>
<ul class="answers">
${homeLinks(report.telemetryPath).map(({ href, what }) => html`<li><a href="${href}">/${href}</a> <span>${what}</span></li>\n`)}</ul>
</nav>
</body>
</html>
`.text;
}

const MARK = html`<svg class="mark" viewBox="0 0 24 24" aria-hidden="true"><path d="M4 18a9 9 0 1 1 16 0"/><path class="hand" d="M12 14l4.5-5"/><circle cx="12" cy="14" r="1.6"/></svg>`;

function facts({ states, sandboxes, collectedAt }: HomeReport): Html {
  const parts = states.map(([state, n]) => html`<span><i class="dot ${state}"></i>${n.toLocaleString('en')} ${state}</span>`);
  if (sandboxes > 0) parts.push(html`<span><a href="sandboxes">${some(sandboxes, 'Kata sandbox', 'Kata sandboxes')}</a></span>`);
  const read = collectedAt === null ? 'not read yet' : `read ${collectedAt.slice(11, 19)} UTC`;
  return html`${parts} <span><time datetime="${collectedAt ?? ''}">${read}</time> · <a href="./">reload</a></span>`;
}

function table({ rows, total }: HomeReport): Html {
  return html`<section aria-label="Virtual machines">
<table>
<thead><tr><th scope="col">Machine</th><th scope="col">State</th><th scope="col" class="n">CPU in use</th>
<th scope="col" class="n">Memory</th><th scope="col" class="n">Receives</th><th scope="col" class="n">Transmits</th><th scope="col"><span class="unseen">More</span></th></tr></thead>
<tbody>
${rows.map(line)}</tbody>
</table>
${total > rows.length ? html`<p class="rest">The first ${rows.length} by name. <a href="instances">/instances</a> lists all ${total.toLocaleString('en')}.</p>` : NOTHING}
<p class="legend">CPU in use counts host CPUs busy with the hypervisor process, over the last two readings. Memory is what is resident on the
host, of what the machine was given. Traffic is seen from the guest. ${UNKNOWN} is not known; the statistics of the machine say why.</p>
</section>`;
}

function line(row: HomeRow): Html {
  const { id, name, state, hypervisor, sandbox, evidence, complaints } = row;
  const path = `instances/${encodeURIComponent(id)}`;
  return html`<tr><th scope="row"><a href="${path}"><bdi>${name}</bdi></a><small>${name === id ? NOTHING : html`<bdi>${id}</bdi> · `}${hypervisor}${sandbox === null ? NOTHING : html` · <bdi>${sandbox}</bdi>`}</small></th>
<td><i class="dot ${state}"></i>${state}${evidence.length === 0 ? NOTHING : html`<small class="warn">${evidence.join(', ')}</small>`}${complaints.length === 0 ? NOTHING : html`<small class="warn">${complaints.join('; ')}</small>`}</td>
<td class="n" data-label="CPU in use"><span>${cores(row.cores)}${of(row.vcpus === null ? null : some(row.vcpus, 'vCPU'))}</span>${bar(row.cores, row.vcpus)}</td>
<td class="n" data-label="Memory"><span>${bytes(row.memoryBytes)}${of(row.allocatedBytes === null ? null : bytes(row.allocatedBytes))}</span>${bar(row.memoryBytes, row.allocatedBytes)}</td>
<td class="n" data-label="Receives">${bytesPerSecond(row.rxPerSecond)}</td><td class="n" data-label="Transmits">${bytesPerSecond(row.txPerSecond)}</td>
<td class="links"><a href="${path}/stats">stats</a>${row.alive ? html` <a href="${path}/metrics">metrics</a>` : NOTHING}</td></tr>
`;
}

const of = (whole: string | null): Html => (whole === null ? NOTHING : html` <span class="of">of ${whole}</span>`);

/** A share as a line; none where either number is unknown. A style attribute would need a weaker policy than this page has. */
function bar(part: number | null, whole: number | null): Html {
  if (part === null || whole === null || whole <= 0) return NOTHING;
  const percent = Math.min(100, (100 * part) / whole).toFixed(1);
  return html`<svg class="bar" aria-hidden="true"><rect width="100%" height="3"/><rect class="part" width="${percent}%" height="3"/></svg>`;
}

const EMPTY = html`<section class="empty">
<p>The agent finds no virtual machine here. Start one, and it is listed within seconds:</p>
<pre><code>${starterCommand()} &amp;</code></pre>
<p>Any process counts that holds a KVM guest, and any whose program is on the list <code>discovery.vmm-executables</code>, as QEMU is, with KVM or
without. Nothing needs to be configured.</p>
</section>`;

function sources(report: HomeReport): Html {
  return html`<section aria-labelledby="sources"><h2 id="sources">Where instances come from</h2>
<ul class="sources">
${report.sources.map(source)}</ul></section>`;
}

function readings({ readings: ofHost }: HomeReport): Html {
  if (ofHost.length === 0) return NOTHING;
  return html`<section aria-labelledby="host"><h2 id="host">What all of them share</h2>
<ul class="sources brief">
${ofHost.map(({ name, status, word }) => html`<li class="${status}"><b><i class="dot ${status}"></i>${name}</b> <em>${word}</em></li>\n`)}</ul></section>`;
}

function source({ name, status, about, instances, problems }: HomeSource): Html {
  const found = status === 'off' ? 'off' : status === 'failing' ? 'fails' : some(instances, 'instance');
  const more = problems.length - PROBLEMS_SHOWN;
  return html`<li class="${status}"><b><i class="dot ${status}"></i>${name}</b> <em>${found}</em> <span>${about}</span>${
    problems.length === 0
      ? NOTHING
      : html`<ul class="problems">${problems.slice(0, PROBLEMS_SHOWN).map(([entry, problem]) => html`<li><bdi>${entry}</bdi>: ${problem}</li>`)}${
          more > 0 ? html`<li>and ${more} more; the log has them</li>` : NOTHING
        }</ul>`
  }</li>
`;
}
