import type { Host } from '../../host/host.js';
import { findProgram, Program, type ProgramEnd } from '../../host/program.js';
import type { TracingBlock } from '../../model/settings.js';
import { attachReason, blamedBlock, complaintIn } from './attach-complaint.js';
import { readCatalog, type TracepointCatalog } from './catalog.js';
import { composeScript } from './script.js';
import { isError, ProgramMisses, TraceLosses } from './trace-losses.js';
import {
  allOff,
  blocksOn,
  type Hindrance,
  type Started,
  type TraceEnd,
  type TraceListener,
  type TraceRequest,
  type TraceSource,
} from './trace-source.js';
import type { BlockReason } from './words.js';

/** A map of the most slots is one line: some 40 bytes a bucket, and those between two that are used are printed too. */
const LINE_BYTES = 16 << 20;
const BUDGET_BYTES = 64 << 20;
/** Some 30 a telling. */
const BUDGET_LINES = 10_000;
/** PROC_PID_INIT_INO of linux/proc_ns.h: the first PID namespace has this number on every kernel. */
const FIRST_PID_NAMESPACE = 'pid:[4026531836]';

const WORDS: Readonly<Partial<Record<BlockReason, string>>> = {
  no_tracefs: 'tracefs is not mounted',
  no_permission: 'tracepoints may not be looked at',
  lockdown: 'the kernel is locked down for confidentiality',
  no_btf: 'the kernel does not describe its types (BTF)',
  missing_tracepoint: 'the kernel has none of the tracepoints',
};

/** bpftrace, started by this process, which must be root: bpftrace refuses every other user, whatever its capabilities are. */
export class TraceChild implements TraceSource {
  readonly pauseMs = 0;
  /** Whether it is asked to tell what helpers of the kernel refuse, such as a place in a full map; from bpftrace 0.23 on it does so unasked. */
  private tellsErrors = true;

  /** @param program a path, or a name that is looked for in `searchPath` */
  constructor(
    private readonly host: Host,
    private readonly program: string,
    /** Others are not traced, whoever asks. */
    private readonly allowed: readonly TracingBlock[],
    private readonly searchPath = process.env.PATH ?? '',
    private readonly limits = { lineBytes: LINE_BYTES, budgetBytes: BUDGET_BYTES, budgetLines: BUDGET_LINES, isLight: isError },
  ) {}

  hindrance(): Hindrance | null {
    const found = this.prepare();
    return 'reason' in found ? found : null;
  }

  async start(request: TraceRequest, listener: TraceListener): Promise<Started> {
    const found = this.prepare();
    if ('reason' in found) return nothing(request, found);
    const { path, catalog } = found;
    const compose = (wanted: readonly TracingBlock[]) =>
      composeScript({ wanted, catalog, intervalMs: request.intervalMs, ringer: process.pid });
    const { text, blocks } = compose(request.blocks.filter((block) => this.allowed.includes(block)));
    const on = blocksOn(blocks);
    if (on.length === 0) {
      const reason = request.blocks.map((block) => blocks[block]).find((one) => one !== null) ?? 'not_wanted';
      return { run: null, blocks, hindrance: { reason, words: WORDS[reason] ?? 'nothing can be traced' } };
    }
    const misses = new ProgramMisses(this.host);
    let pid = (): number | null => null;
    const losses = new TraceLosses(() => {
      const running = pid();
      return running === null ? null : misses.read(running);
    });
    const ended = (how: ProgramEnd): void => {
      const end = traceEnd(how, on, (block) => compose([block]).text);
      // Without that it floods less, and its programs are shorter.
      if ((end.cause === 'flooded' && losses.isFlooded) || (end.cause === 'failed' && end.reason === 'verifier')) this.tellsErrors = false;
      listener.ended(end);
    };
    const line = (text: string): void => {
      for (const said of losses.take(text)) listener.line(said);
    };
    try {
      const program = new Program(
        {
          path,
          words: [...(this.tellsErrors ? ['-k'] : []), '-B', 'none', '-f', 'json', '-e', text],
          environment: { BPFTRACE_MAP_KEYS_MAX: String(request.slots) },
          limits: this.limits,
        },
        { line, ended },
      );
      pid = () => program.pid;
      return { blocks, run: { ring, renew: () => program.renew(), end: () => program.end() } };
    } catch (error) {
      const words = `${path} cannot be started: ${error instanceof Error ? error.message : String(error)}`;
      return nothing(request, { reason: 'crashed', words });
    }
  }

  private prepare(): Hindrance | { readonly path: string; readonly catalog: TracepointCatalog } {
    const path = findProgram(this.program, this.searchPath);
    if (path === null) return { reason: 'no_bpftrace', words: `there is no ${this.program}` };
    if (process.geteuid?.() !== 0) {
      return { reason: 'no_permission', words: 'this agent is not root, and bpftrace refuses every other user' };
    }
    const namespace = this.host.tryLink(this.host.proc('self', 'ns', 'pid'));
    if (namespace !== undefined && namespace !== FIRST_PID_NAMESPACE) {
      return {
        reason: 'no_permission',
        words: 'this agent is in a PID namespace of its own, where its process ids are not those of the kernel',
      };
    }
    const catalog = readCatalog(this.host);
    if (typeof catalog === 'string') return { reason: catalog, words: WORDS[catalog] ?? catalog };
    return { path, catalog };
  }
}

/** kill(n, 0) asks whether a process is there and does nothing to it, kill(2); see doorbell.ts. */
export function ring(numbers: readonly number[]): void {
  for (const number of numbers) {
    if (!isBell(number)) continue;
    try {
      process.kill(number, 0);
    } catch {
      // Nobody has that number, or it is somebody else's process: it rang all the same.
    }
  }
}

/** 0 and below would be process groups. */
export const isBell = (number: number): boolean => Number.isInteger(number) && number > 0 && number < 2 ** 31;

const nothing = (request: TraceRequest, hindrance: Hindrance): Started => ({
  run: null,
  blocks: allOff(request.blocks, hindrance.reason),
  hindrance,
});

function traceEnd(end: ProgramEnd, on: readonly TracingBlock[], textOf: (block: TracingBlock) => string): TraceEnd {
  const { status, error, complaint } = end;
  const code = error !== null && 'code' in error ? error.code : undefined;
  const words = complaintIn(complaint) || (error?.message ?? '');
  if (code === 'EFBIG') return { cause: 'flooded', block: null, reason: 'crashed', words };
  if (status === null || status === 0 || complaintIn(complaint) === '') return { cause: 'exited', block: null, reason: 'crashed', words };
  return { cause: 'failed', block: blamedBlock(complaint, on, textOf), reason: attachReason(complaint), words };
}
