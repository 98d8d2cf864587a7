// Texts of many shims, read and merged: by the shipped code, or kata-monitor's way. A child of the bench, so that neither clears away the
// other's garbage.
// usage: shim-texts-child.mjs <dist> <sandboxes> ours|objects
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { goShimText } from '../shim-texts.ts';
import { answerCommands, cpuMicroseconds } from './child.mjs';
import { aggregate } from './object-way.mjs';

const [dist, count, way] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(join(dist, file)).href);
await import('reflect-metadata');
const { labels: render } = await load('model/labels.js');
const { Page } = await load('modules/metrics/page.js');
const { heads } = await load('modules/metrics/family-lines.js');
const { TEXT } = await load('modules/metrics/format.js');
const { ExpositionParser } = await load('modules/exposition/exposition-parser.js');
const { FamilyRules } = await load('modules/shim/family-rules.js');
const { mergeFamilies } = await load('modules/shim/merged-families.js');

/** As long as they are in a cluster. */
const labelsOf = (index) => ({
  sandbox_id: `${index.toString(16).padStart(8, '0')}${'7d23f9d3dd424011e1e70aa8defb267d813c3d451db58f35aeac97a0'}`,
  cri_uid: `8a1f9c0e-6f53-4b6a-9c5e-${String(index).padStart(12, '0')}`,
  cri_name: `web-5f7d8c9b6d-x${index}`,
  cri_namespace: 'production',
});
const sandboxes = Array.from({ length: Number(count) }, (_, index) => {
  const text = goShimText(index);
  const pairs = labelsOf(index);
  const labels = Object.entries(pairs).map(([name, value]) => ({ name, value }));
  return { id: pairs.sandbox_id, text, body: Buffer.from(text), labels, rendered: render(pairs) };
});

const parser = new ExpositionParser();
const rules = new FamilyRules('go', new Set(), []);
function read({ id, body, rendered }) {
  parser.start(body, { owner: id, labels: rendered, rules });
  while (parser.step(256));
  return parser.finish();
}

/** What a view does with them: heads and copies. */
const storage = Buffer.allocUnsafeSlow(sandboxes.length << 19);
function copy({ families }) {
  const page = new Page(storage);
  for (const family of families) {
    page.text(heads(family)(TEXT));
    for (const { lines } of family.bodies) page.text(lines);
  }
  return page.bytes();
}

const samplesIn = (page) => page.toString('latin1').match(/^[a-z]/gm).length;
function cost(work) {
  const before = cpuMicroseconds();
  const page = work();
  return { us: cpuMicroseconds() - before, bytes: page.length, page };
}
const told = ({ us, bytes }) => ({ us, bytes });
const texts = way === 'ours' ? sandboxes.map(read) : [];

await answerCommands({
  /** From bodies to a page. */
  all: () =>
    told(
      cost(() =>
        way === 'ours'
          ? copy(mergeFamilies(sandboxes.map(read)))
          : aggregate(sandboxes.map(({ body, labels }) => ({ text: body.toString(), labels }))),
      ),
    ),
  /** What is done when shims answer, and what is done when Prometheus asks. */
  read: () => {
    const before = cpuMicroseconds();
    sandboxes.forEach((sandbox, index) => {
      texts[index] = read(sandbox);
    });
    return { us: cpuMicroseconds() - before };
  },
  scrape: () => told(cost(() => copy(mergeFamilies(texts)))),
  own: () => {
    const before = cpuMicroseconds();
    for (const text of texts) text.own();
    return { us: cpuMicroseconds() - before };
  },
  about: () => {
    const { page } = cost(() =>
      way === 'ours' ? copy(mergeFamilies(texts)) : aggregate(sandboxes.map(({ text, labels }) => ({ text, labels }))),
    );
    const sent = sandboxes.reduce((bytes, { body }) => bytes + body.length, 0);
    return { samples: samplesIn(page), sent, held: texts.reduce((bytes, text) => bytes + text.bytes, 0), page: page.length };
  },
});
