import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, inUsedBuffer, kernelSample, RECORDED, truncations } from '../../../test/kernel-samples.js';
import { parseStatus, parseStatusLines, STATUS_LENGTH, Status } from './status.js';

const RECORDING = kernelSample('qemu-7.2-kvm/status');
/** By slot. */
const KERNEL_WORDS = (
  'VmPeak VmSize VmLck VmPin VmHWM VmRSS RssAnon RssFile RssShmem VmData VmStk VmExe VmLib VmPTE VmPMD VmSwap HugetlbPages ' +
  'voluntary_ctxt_switches nonvoluntary_ctxt_switches'
).split(' ');

describe('parseStatus', () => {
  it('reads a recorded QEMU in bytes and counts', () => {
    expect(parseStatus(RECORDING)).toEqual({
      anonBytes: 33428 * 1024,
      fileBytes: 22148 * 1024,
      shmemBytes: 0,
      hugetlbBytes: 0,
      swapBytes: 0,
      peakResidentBytes: 58032 * 1024,
      pageTableBytes: 272 * 1024,
      lockedBytes: 0,
      voluntarySwitches: 68,
      involuntarySwitches: 51,
    });
    expect(parseStatus(kernelSample('qemu-7.2-libvirt-style/status'))?.shmemBytes).toBe(111224 * 1024);
  });

  it.each(RECORDED)('refuses every truncation of %s', (recording) => {
    for (const cut of truncations(kernelSample(`${recording}/status`))) expect(parseStatus(cut)).toBeNull();
  });

  it('accepts the lines that x86 adds behind the switches, and refuses them cut', () => {
    const longer = `${RECORDING}x86_Thread_features:\t\nx86_Thread_features_locked:\t\n`;
    expect(parseStatus(longer)).toEqual(parseStatus(RECORDING));
    for (let length = RECORDING.length + 1; length < longer.length - 1; length++) {
      const cut = parseStatus(longer.slice(0, length));
      if (cut !== null) expect(cut).toEqual(parseStatus(RECORDING));
    }
  });

  it('gives what a zombie has, and nothing for its memory', () => {
    const zombie = RECORDING.split('\n')
      .filter((line) => !/^(Vm|Rss|Huge)/.test(line))
      .join('\n');
    const { voluntarySwitches, involuntarySwitches, ...memory } = parseStatus(zombie) ?? expect.fail('a status without memory is a status');
    expect([voluntarySwitches, involuntarySwitches]).toEqual([68, 51]);
    for (const bytes of Object.values(memory)) expect(bytes).toBeNaN();
  });

  it('takes a value that is no number of kB for none', () => {
    for (const word of ['18446744073709551615 kB', '9223372036854775808 kB', '-1 kB', '1 MB', '1', '', 'x kB', '1 kB 2 kB']) {
      expect(parseStatus(RECORDING.replace(/^RssAnon:.*$/m, `RssAnon:\t${word}`))?.anonBytes).toBeNaN();
    }
    expect(
      parseStatus(RECORDING.replace(/^voluntary_ctxt_switches:.*$/m, 'voluntary_ctxt_switches:\t18446744073709551615'))?.voluntarySwitches,
    ).toBeNaN();
  });

  it('is not misled by a name that looks like a line', () => {
    expect(parseStatus(RECORDING.replace('Name:\tqemu-system-x86', 'Name:\tRssAnon: 7 kB'))).toEqual(parseStatus(RECORDING));
    expect(parseStatus(RECORDING.replace('Name:\tqemu-system-x86', 'Name:\t\\nVmSwap: 7 kB'))).toEqual(parseStatus(RECORDING));
  });

  it('survives any text, in time that grows with its length alone', () => {
    for (const text of [
      '',
      '\n',
      '\0',
      'x'.repeat(70_000),
      '\nnonvoluntary_ctxt_switches:'.repeat(5000),
      '\nnonvoluntary_ctxt_switches: 1\nx'.repeat(2000),
    ]) {
      expect(parseStatus(text)).toBeNull();
    }
    fc.assert(fc.property(anyText, (text) => parseStatus(text) === null));
  });
});

describe('parseStatusLines', () => {
  const out = new Float64Array(STATUS_LENGTH);
  const parsed = (text: string): number[] | null => {
    const [bytes, length] = inUsedBuffer(text);
    return parseStatusLines(bytes, length, out) ? [...out] : null;
  };

  it('fills every slot in the kernel’s order, memory in bytes, and leaves the line that the kernel no longer prints empty', () => {
    const KIB = [...RECORDING.matchAll(/^(?:Vm|Rss|Hugetlb)\w+:\s+(\d+) kB$/gm)].map(([, kib]) => Number(kib) * 1024);
    expect(KIB).toHaveLength(16);
    expect(parsed(RECORDING)).toEqual([...KIB.slice(0, 14), Number.NaN, ...KIB.slice(14), 68, 51]);
    expect(out[Status.pmdBytes]).toBeNaN();
    expect(parsed(RECORDING.replace('VmSwap:', 'VmPMD:\t      12 kB\nVmSwap:'))?.[Status.pmdBytes]).toBe(12 * 1024);
  });

  it.each(RECORDED)('refuses every truncation of %s in a buffer with an older text behind it', (recording) => {
    for (const cut of truncations(kernelSample(`${recording}/status`))) expect(parsed(cut)).toBeNull();
  });

  it.each(Object.entries(Status).filter(([, slot]) => slot < Status.voluntarySwitches))('has no %s without its line', (_, slot) => {
    const lines = RECORDING.split('\n');
    const without = lines.filter((line) => !line.startsWith(KERNEL_WORDS[slot])).join('\n');
    const whole = parsed(RECORDING) ?? expect.fail('refused');
    expect(parsed(without)).toEqual(whole.map((value, other) => (other === slot ? Number.NaN : value)));
  });
});
