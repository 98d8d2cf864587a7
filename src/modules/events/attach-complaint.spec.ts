import { describe, expect, it } from 'vitest';
import type { TracingBlock } from '../../model/settings.js';
import { attachReason, blamedBlock, complaintIn } from './attach-complaint.js';

/** bpftrace 0.17 without CAP_SYS_RESOURCE, at each start. */
const MEMLOCK =
  'ERROR: Unknown error -1: couldn\'t set RLIMIT_MEMLOCK for bpftrace. If your program is not loading, you can try "ulimit -l 8192" to fix the problem\n';
const NOT_FOUND = `${MEMLOCK}stdin:1:1-24: ERROR: tracepoint not found: sched:nosuch\ntracepoint:sched:nosuch { @a = count(); }\n~~~~~~~~~~~~~~~~~~~~~~~\n`;
const NO_FIELD = `${MEMLOCK}stdin:1:38-50: ERROR: Struct/union of type 'struct _tracepoint_sched_sched_switch' does not contain a field named 'nosuch'\ntracepoint:sched:sched_switch { @a = args->nosuch; }\n`;
const NOT_ATTACHED = `${MEMLOCK}create_probe_event: open(/sys/kernel/tracing/kprobe_events): No such file or directory\nERROR: Error attaching probe: 'tracepoint:tcp:tcp_probe'\n`;
const NOT_LOADED = `${MEMLOCK}Error loading program: tracepoint:sock:inet_sock_set_state (try -v)\n`;
const WARNINGS =
  'stdin:19:10-12: WARNING: Addrspace mismatch\n  if ($k && ($state & 0x30) == 0) {\n         ~~\nWARNING: Addrspace is not set\nstdin:20:1-3: WARNING: Addrspace mismatch\n@a = 1;\n~~\n';
const NOT_ROOT = 'ERROR: bpftrace currently only supports running as the root user.\n';
const SYNTAX = `${MEMLOCK}stdin:1:19-20: ERROR: syntax error, unexpected end of file, expecting }\n`;
const LOCKED = `${MEMLOCK}ERROR: Kernel lockdown is enabled and set to 'confidentiality'. Lockdown mode blocks\nparts of BPF which makes it impossible for bpftrace to function.\n`;

const SCRIPTS: Partial<Record<TracingBlock, string>> = {
  cpu: 'tracepoint:syscalls:sys_enter_kill { }\ntracepoint:sched:sched_switch { }\ntracepoint:sched:nosuch {}',
  tcp: 'tracepoint:syscalls:sys_enter_kill { }\ntracepoint:tcp:tcp_probe,\ntracepoint:sock:inet_sock_set_state { }',
  dns: 'tracepoint:syscalls:sys_enter_kill { }\ntracepoint:sock:inet_sock_set_state_more { }',
};
const blamed = (text: string): TracingBlock | null => blamedBlock(text, ['cpu', 'tcp', 'dns'], (block) => SCRIPTS[block] ?? '');

describe('a complaint of bpftrace', () => {
  it.each([
    [NOT_FOUND, 'missing_tracepoint', 'cpu'],
    [NO_FIELD, 'missing_tracepoint', 'cpu'],
    [NOT_ATTACHED, 'missing_tracepoint', 'tcp'],
    [NOT_LOADED, 'verifier', 'tcp'],
    [NOT_ROOT, 'no_permission', null],
    [LOCKED, 'lockdown', null],
    [SYNTAX, 'verifier', null],
    [`${MEMLOCK}ERROR: Error attaching probe: 'tracepoint:syscalls:sys_enter_kill'`, 'missing_tracepoint', null],
    ['', 'verifier', null],
  ] as const)('is understood: %j', (text, reason, block) => {
    expect(attachReason(text)).toBe(reason);
    expect(blamed(text)).toBe(block);
  });

  it('is nobody’s where it names probes of several blocks', () => {
    expect(blamed(`${NOT_LOADED}${NOT_FOUND}`)).toBeNull();
  });

  it('is one line, and what it says at every start is none', () => {
    expect(complaintIn(MEMLOCK)).toBe('');
    expect(complaintIn('')).toBe('');
    expect(complaintIn(`${MEMLOCK}${WARNINGS}`)).toBe('');
    expect(complaintIn(`${WARNINGS}Segmentation fault\n`)).toBe('Segmentation fault');
    expect(complaintIn(`${WARNINGS}${NOT_ATTACHED}`)).toBe("ERROR: Error attaching probe: 'tracepoint:tcp:tcp_probe'");
    expect(attachReason(`${WARNINGS}no BTF\n`)).toBe('no_btf');
    expect(complaintIn(NOT_FOUND)).toBe('stdin:1:1-24: ERROR: tracepoint not found: sched:nosuch');
    expect(complaintIn(`${'x'.repeat(100_000)}\n`)).toHaveLength(300);
  });

  it('is understood somehow wherever it is cut', () => {
    const text = [NOT_FOUND, NO_FIELD, NOT_ATTACHED, NOT_LOADED, LOCKED].join('');
    for (let at = 0; at < text.length; at += 7) {
      expect(typeof attachReason(text.slice(at))).toBe('string');
      expect(complaintIn(text.slice(at)).length).toBeLessThanOrEqual(300);
      blamed(text.slice(at));
    }
  });
});
