import type { Subject } from '../../model/collector.js';
import type { Column } from '../../model/table.js';
import type { PartKey, Tables } from '../../model/tables.js';
import type { CollectorState } from '../collection/sampler.js';
import { CellTemplate, type Generation, groupTemplates, memberTemplate } from './document.js';
import { PartsView } from './parts.view.js';

/** Null where nothing of them is known: a VM may have a cgroup of its own with some controllers and without the others. */
const OPTIONAL: ReadonlySet<string> = new Set(['limits.cpu', 'limits.memory', 'limits.memory.events', 'limits.pids']);
const IO = 'limits.io';
/** Its cells are rows of devices. */
const DEVICE = `${IO}.utilization_device`;

const device = ({ name, words }: PartKey): string => `"device":${JSON.stringify(name)},"number":${JSON.stringify(words?.number ?? null)}`;

/** The member `limits` of the stats document; null where nothing is known. */
export class LimitsView {
  private readonly table;
  private readonly cells: CellTemplate;
  private readonly io: CellTemplate;
  private readonly ioDevice: Column | undefined;
  private readonly devices: PartsView;

  constructor(tables: Tables, states: readonly CollectorState[]) {
    const { columns } = tables.instances;
    const ofIo = columns.filter(({ metric }) => metric.json.startsWith(`${IO}.`));
    this.table = tables.cgroupDevices;
    this.cells =
      groupTemplates(
        columns.filter((column) => !ofIo.includes(column)),
        OPTIONAL,
      ).get('limits') ?? new CellTemplate();
    this.ioDevice = ofIo.find(({ metric }) => metric.json === DEVICE);
    this.io = memberTemplate(
      ofIo.filter((column) => column !== this.ioDevice),
      IO,
    );
    this.devices = new PartsView(tables, 'cgroupDevices', states, device);
  }

  json(instance: Subject, generation: Generation): string {
    const { row } = instance;
    const io = this.ofIo(instance, generation);
    if (io === 'null' && !this.cells.isFilled(row, generation)) return 'null';
    return `{${this.cells.render(row, generation)},"io":${io}}`;
  }

  private ofIo(instance: Subject, generation: Generation): string {
    const { row } = instance;
    const devices = this.devices.list(instance, generation);
    if (devices === 'null' && !this.io.isFilled(row, generation)) return 'null';
    const name = this.nameOf(instance, this.ioDevice?.[generation][row] ?? Number.NaN);
    return `{${this.io.render(row, generation)},"utilization_device":${name},"devices":${devices}}`;
  }

  private nameOf(instance: Subject, row: number): string {
    const key = this.table.key(row);
    return key?.parent === instance ? JSON.stringify(key.name) : 'null';
  }
}
