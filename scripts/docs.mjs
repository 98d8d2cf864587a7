// Writes docs/metrics.md, docs/api.md and what stands between the README's markers; with --check only compares. Needs a build.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { configTable } from '../dist/config/help.js';
import { COLLECTORS } from '../dist/modules/collection/collectors.js';
import { HOST_COLLECTORS } from '../dist/modules/collection/host-collectors.js';
import { SOURCES } from '../dist/modules/instances/sources.js';
import { apiPage } from './docs/api.mjs';
import { families } from './docs/families.mjs';
import { metricsPage, metricsTable } from './docs/metrics.mjs';
import { firstDifference } from './openapi/difference.mjs';
import { makeDocument } from './openapi/document.mjs';

const root = new URL('../', import.meta.url);
const read = (name) => (existsSync(new URL(name, root)) ? readFileSync(new URL(name, root), 'utf8') : '');

/** The toggles of this build, as the command line knows them. */
const known = {
  collectors: [...COLLECTORS, ...HOST_COLLECTORS].map(({ about }) => ({
    name: about.name,
    enabled: about.enabled,
    help: `${about.reads}.`,
  })),
  sources: SOURCES.map(({ name, enabled, help }) => ({ name, enabled, help })),
};

function between(text, word, content) {
  const [begin, end] = [`<!-- ${word}:begin -->`, `<!-- ${word}:end -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md has no ${begin} … ${end}`);
  return `${text.slice(0, from + begin.length)}\n\n${content.trim()}\n\n${text.slice(to)}`;
}

const all = await families();
const files = {
  'README.md': between(between(read('README.md'), 'config', configTable(known)), 'metrics', metricsTable(all)),
  'docs/metrics.md': metricsPage(all),
  'docs/api.md': apiPage(await makeDocument()),
};

for (const [name, text] of Object.entries(files)) {
  if (!process.argv.includes('--check')) writeFileSync(new URL(name, root), text);
  else if (read(name) !== text) {
    process.stderr.write(`${name} is not what the code says; node scripts/docs.mjs writes it anew\n${firstDifference(read(name), text)}\n`);
    process.exitCode = 1;
  }
}
