import { declaredMetrics } from '../../model/collector.js';
import { outcomeWords } from '../../model/outcome.js';
import { timestamp } from '../../model/units.js';
import type { HostCollectorState } from '../collection/host-collection.js';
import type { CollectorState } from '../collection/sampler.js';
import type { Finding, Fix, Need } from './capability.js';
import type { Probed, Survey } from './prober.js';

const FIRST_IDS = 5;

/** What `GET /capabilities` answers. */
export interface CapabilitiesDocument {
  readonly checked_at: string | null;
  /** All that is required is there. */
  readonly healthy: boolean;
  readonly summary: { readonly ok: number; readonly absent: number; readonly failed: number };
  readonly capabilities: readonly CapabilityView[];
}

export interface CapabilityView {
  readonly name: string;
  readonly status: 'ok' | 'absent' | 'failed';
  readonly reason: string | null;
  readonly need: Need;
  readonly gives: string;
  readonly collectors: readonly string[];
  readonly families: readonly string[];
  readonly detail: string;
  readonly fix: Fix | null;
  readonly affects: { readonly count: number; readonly first: readonly string[] };
}

/** @param ofHost collectors of the host itself */
export function documentOf(
  { madeMs, probed }: Survey,
  collectors: readonly CollectorState[],
  ofHost: readonly HostCollectorState[] = [],
): CapabilitiesDocument {
  const families = new Map([...collectors.map(declaredBy), ...ofHost.map(givenBy)]);
  const capabilities = probed.map((one) => viewOf(one, families));
  const count = (status: CapabilityView['status']): number => capabilities.filter((one) => one.status === status).length;
  return {
    checked_at: timestamp(madeMs),
    healthy: !capabilities.some(isWrong),
    summary: { ok: count('ok'), absent: count('absent'), failed: count('failed') },
    capabilities,
  };
}

/** What makes a host unhealthy. */
const isWrong = ({ status, need }: CapabilityView): boolean => status !== 'ok' && need === 'required';

function viewOf(
  { probe: { name, gives, collectors, need }, finding }: Probed,
  byCollector: ReadonlyMap<string, readonly string[]>,
): CapabilityView {
  const { outcome: status, reason = null } = outcomeWords(finding.outcome);
  const ids = 'affects' in finding ? finding.affects : [];
  return {
    ...{ name, status, reason },
    need: needOf(finding) ?? need,
    ...{ gives, collectors, families: familiesOf(collectors, byCollector) },
    detail: finding.detail,
    fix: 'fix' in finding ? finding.fix : null,
    affects: { count: ids.length, first: ids.slice(0, FIRST_IDS) },
  };
}

const needOf = (finding: Finding): Need | undefined => ('need' in finding ? finding.need : undefined);

/** Families of the Prometheus page that these collectors fill, sorted. */
const familiesOf = (names: readonly string[], byCollector: ReadonlyMap<string, readonly string[]>): readonly string[] =>
  [...new Set(names.flatMap((name) => byCollector.get(name) ?? []))].sort();

const declaredBy = ({ collector }: CollectorState): [string, string[]] => [
  collector.about.name,
  declaredMetrics(collector).flatMap(({ families }) => families.map(({ family }) => family.name)),
];

const givenBy = ({ collector }: HostCollectorState): [string, string[]] => [
  collector.about.name,
  collector.families().map(({ name }) => name),
];
