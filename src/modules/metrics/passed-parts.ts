import type { Slicer } from '../../host/slicer.js';
import type { Format } from './format.js';
import type { Page } from './page.js';
import type { PrintedFamily } from './passed-families.js';

/** So many bytes are copied in about 20 µs. */
const BYTES_A_LOOK = 131_072;
const NO_HEAD = Buffer.alloc(0);

/** A page on its way. */
export interface Sheet {
  readonly page: Page;
  readonly format: Format;
  readonly slicer: Slicer;
  /** Instances whose samples are wanted; missing for all. */
  readonly instances: ReadonlySet<string> | undefined;
}

/** One family of a page. */
export interface Part {
  /** As it is printed. */
  readonly name: string;
  print(sheet: Sheet): Promise<void>;
}

export const passedPart = (family: PrintedFamily): Part => ({
  name: family.passed.name,
  print: (sheet) => copy(sheet, family, family.head(sheet.format)),
});

/** What upstreams say: below the head of the family that has the name already, or on its own. */
export function withUpstreams(parts: readonly Part[], told: readonly PrintedFamily[]): Part[] {
  if (told.length === 0) return [...parts];
  const byName = new Map(parts.map((part) => [part.name, part]));
  for (const family of told) {
    const { name } = family.passed;
    const first = byName.get(name);
    byName.set(name, first ? below(first, family) : passedPart(family));
  }
  return [...byName.values()];
}

/** The first may have no sample, and no head then. */
function below(first: Part, family: PrintedFamily): Part {
  const print = async (sheet: Sheet): Promise<void> => {
    const { length } = sheet.page;
    await first.print(sheet);
    await copy(sheet, family, sheet.page.length > length ? NO_HEAD : family.head(sheet.format));
  };
  return { name: first.name, print };
}

/** @param head printed before the first sample */
async function copy({ page, format, slicer, instances }: Sheet, { passed: { bodies } }: PrintedFamily, head: Buffer): Promise<void> {
  let headed = false;
  let copied = 0;
  for (const { owner, lines, open } of bodies) {
    if (instances && !instances.has(owner)) continue;
    const fit = open && format.openMetrics ? lines.subarray(0, open.bytes) : lines;
    if (fit.length === 0) continue;
    if (!headed) page.text(head);
    headed = true;
    page.text(fit);
    copied += fit.length;
    if (copied < BYTES_A_LOOK) continue;
    copied = 0;
    const pause = slicer.pause();
    if (pause) await pause;
  }
  const pause = slicer.pause();
  if (pause) await pause;
}
