import type { Host } from '../../host/host.js';
import type { Look } from '../../host/look.js';
import type { InstanceSource } from '../../model/instance.js';
import type { Outcome } from '../../model/outcome.js';
import type { Settings } from '../../model/settings.js';
import type { CollectorState } from '../collection/sampler.js';
import type { Tracing } from '../events/tracing.js';
import type { Discovery } from '../instances/discovery.js';
import type { Instance } from '../instances/instance.js';
import type { Registry } from '../instances/registry.js';
import type { SwitchWatch } from '../network/ovs/switch-watch.js';
import type { UpstreamScraper } from '../upstreams/scraper.js';
import type { VmmAsker } from '../vmm/asker.js';
import type { Dialogue, DialogueTools } from '../vmm/dialogue.js';

/** What a probe may look at. */
export interface ProbeTools {
  readonly host: Host;
  readonly look: Look;
  readonly settings: Settings;
  readonly registry: Registry;
  readonly discovery: Discovery;
  readonly sources: readonly InstanceSource[];
  readonly collectors: readonly CollectorState[];
  /** What VMMs last said; null where nobody asks any. */
  readonly asker: Pick<VmmAsker, 'known' | 'answer'> | null;
  readonly dialogues: readonly Dialogue[];
  readonly shims: DialogueTools['shims'];
  /** Switches that are asked, and how they answered; null where nobody asks any. */
  readonly switches: readonly Pick<SwitchWatch, 'directory' | 'path' | 'outcome' | 'bridges'>[] | null;
  /** What traces latencies; null where nothing does. */
  readonly tracing: Pick<Tracing, 'lookNow' | 'blocks' | 'isUp'> | null;
  /** What upstreams last said; null where nobody asks any. */
  readonly upstreams: Pick<UpstreamScraper, 'contacts'> | null;
}

/** Instances that have a process and were read. */
export const running = ({ registry }: ProbeTools): readonly Instance[] => [...registry.all()].filter(({ row }) => row >= 0);

export const idsOf = (instances: readonly Instance[]): readonly string[] => instances.map(({ id }) => id).sort();

/** Ids of the running instances of which the last sweep says this, in one of these collectors. */
export function affected(tools: ProbeTools, collectors: readonly string[], ...outcomes: readonly Outcome[]): readonly string[] {
  const states = tools.collectors.filter(({ enabled, collector }) => enabled && collectors.includes(collector.about.name));
  const isOne = (code: number): boolean => outcomes.some((outcome) => outcome === code);
  return idsOf(running(tools).filter(({ row }) => states.some(({ outcome }) => isOne(outcome.front[row]))));
}

/** Whether one of these collectors is on. */
export const isOn = ({ collectors }: ProbeTools, ...names: readonly string[]): boolean =>
  collectors.some(({ enabled, collector }) => enabled && names.includes(collector.about.name));

/** The system's word for what went wrong; undefined for a defect of ours. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** `1 of 3 instances` and such. */
export const some = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
