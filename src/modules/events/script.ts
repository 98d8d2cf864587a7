import { TRACING_BLOCKS, type TracingBlock } from '../../model/settings.js';
import { bytes } from './blocks/bytes.js';
import { cpu } from './blocks/cpu.js';
import { DNS_IN_FLIGHT, dns } from './blocks/dns.js';
import { DOORBELL_MAPS, DOORBELL_NEEDS, doorbell } from './blocks/doorbell.js';
import { files } from './blocks/files.js';
import { GUEST_DNS_IN_FLIGHT, guestDns } from './blocks/guest-dns.js';
import { turning } from './blocks/in-flight.js';
import { plainFiles } from './blocks/plain-files.js';
import { type Block, type BlockMaker, offers, type Probe } from './blocks/probe.js';
import { tcp } from './blocks/tcp.js';
import { uring } from './blocks/uring.js';
import type { TracepointCatalog } from './catalog.js';
import type { BlockReason, BlockStates } from './words.js';

const MAKERS: Readonly<Record<TracingBlock, BlockMaker>> = {
  cpu,
  tcp,
  bytes,
  dns,
  files,
  uring,
  'guest-dns': guestDns,
  'plain-files': plainFiles,
};
const IN_FLIGHT: Partial<Readonly<Record<TracingBlock, string>>> = { dns: DNS_IN_FLIGHT, 'guest-dns': GUEST_DNS_IN_FLIGHT };

export interface ScriptWish {
  readonly wanted: readonly TracingBlock[];
  readonly catalog: TracepointCatalog;
  /** Between two tellings. */
  readonly intervalMs: number;
  /** Pid of the process that rings, in the host's own pid namespace. */
  readonly ringer: number;
}

export interface Script {
  /** For bpftrace 0.17 and later; empty when no block is on. */
  readonly text: string;
  readonly blocks: BlockStates;
}

/** What is counted in the kernel, of the blocks that are wanted and that this kernel has everything for. */
export function composeScript({ wanted, catalog, intervalMs, ringer }: ScriptWish): Script {
  const canEnrol = offers(catalog, DOORBELL_NEEDS);
  const decide = (block: TracingBlock): Block | BlockReason => {
    if (!wanted.includes(block)) return 'not_wanted';
    return canEnrol ? MAKERS[block](catalog) : 'missing_tracepoint';
  };
  const made = TRACING_BLOCKS.map((name) => ({ name, block: decide(name) }));
  // Every block has a state: the list is the type's own.
  const blocks = Object.fromEntries(made.map(({ name, block }) => [name, typeof block === 'string' ? block : null])) as BlockStates;
  const on = made.flatMap(({ name, block }) => (typeof block === 'string' ? [] : [{ name, block }]));
  if (on.length === 0) return { text: '', blocks };
  const forgotten = on.flatMap(({ name }) => IN_FLIGHT[name] ?? []);
  const probes = [
    ...doorbell(catalog, ringer),
    ...on.flatMap(({ block }) => block.probes),
    ...(forgotten.length > 0 ? [turning(forgotten)] : []),
    telling([...DOORBELL_MAPS, ...new Set(on.flatMap(({ block }) => block.tells))], intervalMs),
  ];
  return { text: merged(probes).map(written).join('\n'), blocks };
}

/** What a block that is on may not have of this kernel: then others look for it, who must know. */
const MAY_LACK: readonly string[] = ['rtt', 'retransmits'];

/** The line at the end is how a reader knows that all of it was told, and what cannot be: `tick 123 -rtt`. */
const telling = (maps: readonly string[], intervalMs: number): Probe => {
  const lacks = MAY_LACK.filter((map) => !maps.includes(map)).map((map) => ` -${map}`);
  const tick = `printf("tick %llu${lacks.join('')}\\n", nsecs);`;
  return { at: [`interval:ms:${intervalMs}`], when: '', first: '', body: `\n  ${maps.map((map) => `print(@${map});`).join(' ')} ${tick}` };
};

/** One program a tracepoint: each costs its call. */
function merged(probes: readonly Probe[]): readonly Probe[] {
  const byPlace = new Map<string, Probe>();
  for (const probe of probes) {
    const place = JSON.stringify([probe.at, probe.when, probe.first]);
    const known = byPlace.get(place);
    byPlace.set(place, known === undefined ? probe : { ...known, body: known.body + probe.body });
  }
  return [...byPlace.values()];
}

const written = ({ at, when, first, body }: Probe): string =>
  `${at.join(',\n')}${when === '' ? '' : ` /${when}/`} {\n  ${first}${body}\n}\n`;
