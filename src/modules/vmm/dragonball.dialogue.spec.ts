import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { FakeProcess } from '../../../test/fake-process.js';
import { linesOf, readShimText } from '../../../test/shim-reading.js';
import { dragonballText } from '../../../test/shim-texts.js';
import { FakeSubject } from '../../../test/subject.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import type { PassedFamily } from '../exposition/passed-family.js';
import { type LastWords, PassThrough } from '../shim/pass-through.js';
import { dragonballDialogue } from './dragonball.dialogue.js';
import { eventsOf, exitsOf, itemsIn } from './dragonball-words.js';

/** One shim, and what is known of it. */
class OneShim extends PassThrough {
  words: LastWords | null = null;

  say(text: string, labels?: string): void {
    const { families } = readShimText(text, { runtime: 'rust', ...(labels === undefined ? {} : { labels }) });
    this.words = { outcome: Outcome.ok, isKept: true, linesOf: (family) => families.find(({ name }) => name === family)?.lines };
  }
  families(): readonly PassedFamily[] {
    return [];
  }
  own(): readonly PassedFamily[] {
    return [];
  }
  last(): LastWords | null {
    return this.words;
  }
}

const proc = new FakeProc();
const host = proc.host();
afterAll(() => proc.close());
const subject = new FakeSubject(new FakeProcess(), 's-1', 's-1', { id: 's-1', hypervisor: 'dragonball' });
const tools = (shims: PassThrough | null, shimSocketRuntimes = ['rust/dragonball']) => ({
  host,
  settings: Object.assign(new Settings(), { shimSocketRuntimes }),
  shims,
});
async function ask(shims: PassThrough): ReturnType<ReturnType<typeof dragonballDialogue.begin>['ask']> {
  return dragonballDialogue.begin(subject, new FakeProcess(), tools(shims)).ask(1000);
}

const TEXT = `# TYPE kata_hypervisor_vcpu gauge
kata_hypervisor_vcpu{cpu_id="0",item="exit_io_in"} 1
kata_hypervisor_vcpu{cpu_id="0",item="exit_io_out"} 20
kata_hypervisor_vcpu{cpu_id="0",item="exit_mmio_read"} 300
kata_hypervisor_vcpu{cpu_id="0",item="exit_mmio_write"} 4000
kata_hypervisor_vcpu{cpu_id="0",item="failures"} 0
kata_hypervisor_vcpu{cpu_id="0",item="filter_cpuid"} 9
kata_hypervisor_vcpu{cpu_id="1",item="exit_io_in"} 50000
kata_hypervisor_vcpu{cpu_id="1",item="failures"} 7
# TYPE kata_hypervisor_seccomp gauge
kata_hypervisor_seccomp{item="num_faults"} 0
# TYPE kata_hypervisor_signals gauge
kata_hypervisor_signals{item="sigbus"} 0
kata_hypervisor_signals{item="sigsegv"} 0
`;

describe('Dragonball', () => {
  it('tells its exits by direction, all vCPUs together, as its shim last told them', async () => {
    const shim = new OneShim();
    shim.say(TEXT);
    expect(await ask(shim)).toMatchObject({
      exits: { ioIn: 50_001, ioOut: 20, mmioRead: 300, mmioWrite: 4000, failures: 7 },
      state: Outcome.unsupported,
    });
  });

  it('tells no faults and signals while there are none, because nobody listens for them', async () => {
    const shim = new OneShim();
    shim.say(TEXT);
    expect(await ask(shim)).toMatchObject({ events: Outcome.unsupported });
    shim.say(TEXT.replace('num_faults"} 0', 'num_faults"} 2').replace('sigbus"} 0', 'sigbus"} 1').replace('sigsegv"} 0', 'sigsegv"} 4'));
    expect(await ask(shim)).toMatchObject({ events: { 'seccomp-fault': 2, 'fatal-signal': 5 } });
  });

  it('is understood in the words of versions that know no cpu_id', async () => {
    const shim = new OneShim();
    shim.say(TEXT.replaceAll(/cpu_id="0",/g, '').replaceAll(/^.*cpu_id="1".*\n/gm, ''));
    expect(await ask(shim)).toMatchObject({ exits: { ioIn: 1, failures: 0 } });
  });

  it('has no exits where its shim has none', async () => {
    const shim = new OneShim();
    shim.say('# TYPE kata_agent_total_time gauge\nkata_agent_total_time 1\n');
    expect(await ask(shim)).toMatchObject({ exits: Outcome.unsupported, events: Outcome.unsupported });
  });

  it('is not taken in by what the labels of a sandbox say', async () => {
    const shim = new OneShim();
    shim.say(TEXT, 'sandbox_id="s-1",cri_name="a\\",item=\\"exit_io_in\\"} 77 {item=\\"failures\\"} 1"');
    expect(await ask(shim)).toMatchObject({ exits: { ioIn: 50_001, failures: 7 } });
  });

  it('says that its shim does not answer, though what it said before is kept', async () => {
    const shim = new OneShim();
    shim.say(TEXT);
    if (shim.words) shim.words = { ...shim.words, outcome: Outcome.timeout };
    expect(await ask(shim)).toBe(Outcome.timeout);
    shim.words = null;
    expect(await ask(shim)).toBe(Outcome.gone);
  });

  it('may be asked while something of its shim is kept, else for the reason that its shim has', () => {
    const shim = new OneShim();
    const standing = (shims: PassThrough | null = shim): Outcome => dragonballDialogue.standing(subject, tools(shims));
    const none = { linesOf: () => undefined, isKept: false };
    expect([standing(null), standing()]).toEqual([Outcome.notConfigured, Outcome.notConfigured]);
    for (const outcome of [Outcome.busy, Outcome.timeout, Outcome.notConfigured, Outcome.unsupported]) {
      shim.words = { ...none, outcome };
      expect(standing()).toBe(outcome);
      shim.words = { ...none, outcome, isKept: true };
      expect(standing()).toBe(Outcome.ok);
    }
    shim.words = { ...none, outcome: Outcome.ok };
    expect(standing()).toBe(Outcome.busy);
    expect(dragonballDialogue.standing(new FakeSubject(null), tools(shim))).toBe(Outcome.gone);
    shim.words = { ...none, outcome: Outcome.ok, isKept: true };
    expect(dragonballDialogue.standing(subject, tools(shim, ['go/qemu']))).toBe(Outcome.notConfigured);
  });

  it('stands on the page of metrics under Kata’s own names, with the labels of its sandbox', () => {
    const { families } = readShimText(dragonballText(1, 2), { runtime: 'rust' });
    const lines = linesOf(families.map((family) => ({ ...family, bodies: [family] })));
    for (const item of ['exit_io_in', 'exit_io_out', 'exit_mmio_read', 'exit_mmio_write', 'failures', 'filter_cpuid'])
      for (const cpu of [0, 1])
        expect(
          lines.filter((line) => line.startsWith(`kata_hypervisor_vcpu{cpu_id="${cpu}",item="${item}",sandbox_id="s-1"} `)),
        ).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith('kata_hypervisor_seccomp{item="num_faults",sandbox_id="s-1"} '))).toHaveLength(1);
    for (const item of ['sigbus', 'sigsegv'])
      expect(lines.filter((line) => line.startsWith(`kata_hypervisor_signals{item="${item}",sandbox_id="s-1"} `))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith('kata_hypervisor_scrape_count{sandbox_id="s-1"} '))).toHaveLength(1);
  });
});

describe('words of Dragonball', () => {
  it('that are cut anywhere never give a number that was not there', () => {
    const whole = itemsIn(Buffer.from(TEXT));
    for (let end = 0; end <= TEXT.length; end++) {
      // The parser of the shim's room gives whole lines only.
      const cut = TEXT.slice(0, TEXT.lastIndexOf('\n', end) + 1);
      for (const [item, count] of itemsIn(Buffer.from(cut))) expect(count).toBeLessThanOrEqual(whole.get(item) ?? Number.NaN);
    }
  });

  it('are counts, or nothing', () => {
    const line = (value: string): Buffer => Buffer.from(`kata_hypervisor_vcpu{item="failures",sandbox_id="x"} ${value}\n`);
    for (const bad of ['-1', 'NaN', '+Inf', '18446744073709551615', '1.5', '', '0x']) expect(exitsOf(itemsIn(line(bad)))).toBeUndefined();
    expect(exitsOf(itemsIn(line('3')))).toEqual({ failures: 3 });
    expect(exitsOf(itemsIn(undefined))).toBeUndefined();
    expect(eventsOf(new Map(), new Map())).toBeUndefined();
  });

  it('that are noise are passed over', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (noise) => {
        for (const count of itemsIn(Buffer.from(noise)).values()) expect(Number.isSafeInteger(count)).toBe(true);
      }),
    );
  });
});
