// Figures of what shims say: the shipped parser and merger against kata-monitor's way, on the same texts.
import { join } from 'node:path';
import { Child } from './child.mjs';
import { HERE } from './machine.mjs';
import { asFraction } from './report.mjs';
import { interleave, median, ratio } from './rounds.mjs';

const SANDBOXES = 100;

/** shims: bodies of 100 sandboxes of 1,100 series each to one page. */
export async function shimTexts({ dist, rounds, report }) {
  const start = (way) => new Child(process.execPath, [join(HERE, 'shim-texts-child.mjs'), dist, String(SANDBOXES), way]);
  const [ours, objects] = ['ours', 'objects'].map(start);
  try {
    const about = await ours.askJson('about');
    const theirs = await objects.askJson('about');
    if (about.samples !== theirs.samples) throw new Error(`${about.samples} samples on our page, ${theirs.samples} on the other`);
    const turn = (child, command) => async () => (await child.askJson(command)).us;
    const costs = await interleave({ ours: turn(ours, 'all'), objects: turn(objects, 'all') }, rounds);
    const ms = (values) => `${(median(values) / 1000).toFixed(1)} ms`;
    const note = `CPU ${ms(costs.ours)}, objects ${ms(costs.objects)}; ${SANDBOXES} sandboxes, ${about.samples} series, ${(about.page / 1e6).toFixed(1)} MB`;
    report.figure('shims: parse and merge against objects', ratio(costs.ours, costs.objects), 1 / 3, { show: asFraction, note });
    const parts = await interleave({ read: turn(ours, 'read'), scrape: turn(ours, 'scrape'), own: turn(ours, 'own') }, rounds);
    const each = (values) => `${((median(values) * 1000) / about.samples).toFixed(0)} ns`;
    report.information('shims: reading an answer, of a series', each(parts.read), 'when a shim answers');
    report.information('shims: merging and copying, of a series', each(parts.scrape), `when Prometheus asks; ${ms(parts.scrape)} in all`);
    report.information('shims: a shim’s own words again, of a series', each(parts.own), 'when somebody asks for one sandbox');
    const mb = (bytes) => `${(bytes / SANDBOXES / 1000).toFixed(0)} KB`;
    report.information('shims: held of a sandbox', mb(about.held), `sent ${mb(about.sent)}, the rest is its labels`);
  } finally {
    await Promise.all([ours.stop(), objects.stop()]);
  }
}
