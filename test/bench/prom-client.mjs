// prom-client with the samples of an exposition page. A child of the bench, so that its garbage is not cleared away at our expense.
// usage: prom-client.mjs <page>
import { readFileSync } from 'node:fs';
import { Gauge, Registry } from 'prom-client';
import { answerCommands, cpuMicroseconds } from './child.mjs';

const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** The same samples as an exposition page, held by prom-client: one `render` sets every value and prints them all. */
function promClientOf(page) {
  const registry = new Registry();
  const families = new Map();
  const sets = [];
  for (const line of page.split('\n')) {
    if (line === '' || line[0] === '#') continue;
    const name = line.slice(0, line.search(/[{ ]/));
    const labels = Object.fromEntries([...line.matchAll(LABEL)].map(([, key, value]) => [key, value]));
    if (!families.has(name)) families.set(name, { words: new Set(), samples: [] });
    const family = families.get(name);
    for (const word of Object.keys(labels)) family.words.add(word);
    family.samples.push({ labels, value: Number(line.slice(line.lastIndexOf(' ') + 1)) });
  }
  for (const [name, { words, samples }] of families) {
    const gauge = new Gauge({ name, help: name, labelNames: [...words], registers: [registry] });
    for (const { labels, value } of samples) sets.push(() => gauge.set(labels, value));
  }
  return {
    samples: sets.length,
    render: () => {
      for (const set of sets) set();
      return registry.metrics();
    },
  };
}

const client = promClientOf(readFileSync(process.argv[2], 'utf8'));
await answerCommands({
  render: async (times) => {
    const before = cpuMicroseconds();
    for (let i = 0; i < times; i++) await client.render();
    return { us: (cpuMicroseconds() - before) / times, samples: client.samples };
  },
});
