import type { Subject } from '../../model/collector.js';
import type { PartKey, Tables } from '../../model/tables.js';
import type { CollectorState } from '../collection/sampler.js';
import { type CellTemplate, type Generation, memberTemplate } from './document.js';
import { Evidence } from './evidence.js';
import { PartsView } from './parts.view.js';

const text = (value: string | undefined): string => (value === undefined ? 'null' : JSON.stringify(value));
const disk = ({ name, words }: PartKey): string =>
  `"device":${JSON.stringify(name)},"file":${text(words?.file)},"format":${text(words?.format)},"read_only":${words?.readOnly ?? null}`;
const device = ({ name }: PartKey): string => `"device":${JSON.stringify(name)}`;
const vcpu = ({ name }: PartKey): string => `"index":${Number(name)}`;

/** The members of the stats document that come from the VMM and have more than numbers in fixed places. Each is null where nothing is known. */
export class VmmView {
  private readonly lists;
  private readonly reasons;
  private readonly events;
  private readonly exitCells: CellTemplate;
  private readonly kvmCells: CellTemplate;
  private readonly degradedCells: CellTemplate;
  private readonly evidence: Evidence;

  /** @param words of the group `vmm` */
  constructor(
    tables: Tables,
    states: readonly CollectorState[],
    private readonly vmmCells: CellTemplate | undefined,
  ) {
    const { columns } = tables.instances;
    this.lists = {
      vcpus: new PartsView(tables, 'vcpus', states, vcpu),
      disks: new PartsView(tables, 'disks', states, disk),
      vnics: new PartsView(tables, 'vnics', states, device),
    };
    this.reasons = new PartsView(tables, 'kvmExits', states, device);
    this.events = new PartsView(tables, 'kvmEvents', states, device);
    this.exitCells = memberTemplate(columns, 'exits');
    this.kvmCells = memberTemplate(columns, 'exits.kvm');
    this.degradedCells = memberTemplate(columns, 'degraded');
    this.evidence = new Evidence(columns);
  }

  list(part: 'vcpus' | 'disks' | 'vnics', instance: Subject, generation: Generation): string {
    return this.lists[part].list(instance, generation);
  }

  /** How it is asked and what it calls itself, before the numbers of the asking. */
  vmm({ row, vmmWords }: Subject, generation: Generation): string {
    const { vmmCells } = this;
    if (!vmmCells?.isFilled(row, generation)) return 'null';
    const words = `"dialogue":${text(vmmWords?.dialogue ?? undefined)},"version":${text(vmmWords?.version ?? undefined)}`;
    return `{${words},${vmmCells.render(row, generation)}}`;
  }

  exits(instance: Subject, generation: Generation): string {
    const { row } = instance;
    const kvm = this.kvm(instance, generation);
    if (kvm === 'null' && !this.exitCells.isFilled(row, generation)) return 'null';
    return `{${this.exitCells.render(row, generation)},"kvm":${kvm}}`;
  }

  private kvm(instance: Subject, generation: Generation): string {
    const { row } = instance;
    const reasons = this.reasons.byName(instance, generation);
    const events = this.events.byName(instance, generation);
    if (reasons === 'null' && events === 'null' && !this.kvmCells.isFilled(row, generation)) return 'null';
    return `{${this.kvmCells.render(row, generation)},"reasons":${reasons},"events":${events}}`;
  }

  /** Whether the VM works, and every reason to say that it does not. */
  degraded({ row }: Subject, generation: Generation): string {
    if (!this.degradedCells.isFilled(row, generation)) return 'null';
    return `{${this.degradedCells.render(row, generation)},"reasons":${JSON.stringify(this.evidence.of(row, generation))}}`;
  }
}
