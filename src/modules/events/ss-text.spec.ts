import { describe, expect, it } from 'vitest';
import { parseSockets, type TcpSocket } from './ss-text.js';

/** iproute2 6.1 on Linux 6.18, padding included. */
const SENDER =
  'ESTAB 0      0      127.0.0.1:47800 127.0.0.1:36137 users:(("qemu",pid=16661,fd=4),("worker",pid=619,fd=4)) ino:19150 sk:1a cgroup:/ <-> ts sack bbr wscale:10,10 rto:204 rtt:0.105/0.061 mss:35328 pmtu:65535 rcvmss:536 advmss:65483 cwnd:11 bytes_sent:1500 bytes_retrans:500 bytes_acked:1001 segs_out:3 segs_in:2 data_segs_out:1 bbr:(bw:28262389888bps,mrtt:0.01,pacing_gain:2.88672,cwnd_gain:2.88672) send 29608228571bps lastsnd:872 lastrcv:872 lastack:870 pacing_rate 80769715112bps delivery_rate 28262400000bps retrans:1/7 delivered:2 app_limited rcv_space:65495 rcv_ssthresh:65495 minrtt:0.01 snd_wnd:70656   \n';
const RECEIVER =
  'CLOSE-WAIT 1      0      [::1]:36137 [::1]:47800 users:(("qemu",pid=16661,fd=5)) ino:19151 sk:2 cgroup:/machine.slice/a --> ts sack bbr wscale:10,10 rto:200 rtt:2.5e+06/0.01 ato:40 mss:32768 cwnd:10 bytes_received:1001 segs_out:1\n';

const all = (text: string): (TcpSocket | null)[] => [...parseSockets(text)];
const one = (text: string): TcpSocket => {
  const [socket, ...more] = all(text);
  expect(more).toEqual([]);
  return socket ?? expect.fail(text);
};
const withComm = (comm: string): string => SENDER.replace('worker', comm);

describe('the text of ss', () => {
  it('tells what each connection moved, and who holds it', () => {
    expect(all(SENDER + RECEIVER)).toEqual([
      {
        ...{ key: '127.0.0.1:47800 127.0.0.1:36137 19150 1a', holders: [619, 16661] },
        ...{ sentBytes: 1000, receivedBytes: 0, retransmits: 7, rttNanoseconds: 105_000, quietMilliseconds: 870 },
      },
      {
        ...{ key: '[::1]:36137 [::1]:47800 19151 2', holders: [16661] },
        // The end of the connection is no byte of it, although the kernel counts one.
        ...{ sentBytes: 0, receivedBytes: 1000, retransmits: 0, rttNanoseconds: 2.5e12, quietMilliseconds: 0 },
      },
    ]);
  });

  it('names nobody where it may not be seen who holds a connection', () => {
    expect(one(SENDER.replace(/users:\S+ /, ''))).toEqual({ ...one(SENDER), holders: [] });
  });

  it.each([
    ['spaces', 'CPU 0/KVM  '],
    ['quotes', '"a" b""'],
    ['parentheses', '(((( ('],
    ['commas', 'a,b),'.replace(')', '')],
    ['what looks like another process', '",pid=1,fd=3,"'],
    ['what looks like the start of another', '",pid=1,fd=3'],
    ['bytes', 'bytes_sent:9999'],
    ['bytes among spaces', ' bytes_sent:9 '],
    ['the end of a line', 'a\nb'],
    ['many ends of lines', '\n'.repeat(15)],
    ['the begin of a line', '\nESTAB 0 0 1 2 '],
    ['the word for users', '\n users:(("'],
    ['an arrow', ' <-> mss:1 '],
    ['nothing', ''],
    ['bytes that are no text', '\xff\x01\x80'],
  ])('is read behind a name with %s', (_, comm) => {
    expect(all(withComm(comm) + RECEIVER)).toEqual(all(SENDER + RECEIVER));
  });

  it('takes no word from the name of a cgroup', () => {
    expect(one(SENDER.replace('cgroup:/', 'cgroup:/a <-> b mss:1 bytes_received:5 ino:1 sk:5'))).toEqual(one(SENDER));
  });

  it('tells nothing of a connection that the kernel told nothing of', () => {
    const bare = one('SYN-SENT 0 1 10.0.0.1:5 10.0.0.2:6 users:(("a",pid=5,fd=4)) ino:7 sk:8\n');
    expect(bare).toMatchObject({ holders: [5], sentBytes: null, receivedBytes: null, retransmits: null, rttNanoseconds: null });
  });

  it('tells nothing of what ss had to read of /proc/net/tcp', () => {
    const text =
      'ESTAB 0 0 10.0.0.1:5 10.0.0.2:6 users:(("a",pid=5,fd=4)) ino:7 sk:3c3bbbfb rto:0.2 ato:0.04 qack:6 cwnd:10 reordering:0\n';
    expect(one(text)).toMatchObject({ holders: [5], sentBytes: null, receivedBytes: null, retransmits: null, rttNanoseconds: null });
  });

  it('does not take it for 0 that an older kernel has no word for what was sent', () => {
    expect(one(SENDER.replace('bytes_sent:1500 bytes_retrans:500 ', '')).sentBytes).toBeNull();
    expect(one(SENDER.replace('bytes_sent:1500 bytes_retrans:500 bytes_acked:1001 ', 'bytes_acked:1 ')).sentBytes).toBe(0);
  });

  it.each([
    ['2^64-1', '18446744073709551615'],
    ['2^53', '9007199254740992'],
    ['a sign', '-1'],
    ['a fraction', '1.5'],
    ['hex', '0x10'],
    ['nothing', ''],
    ['not a number', 'nan'],
  ])('does not know what is written as %s', (_, word) => {
    const text = `ESTAB 0 0 1:1 2:2 ino:1 sk:1 <-> rtt:${word === '1.5' ? 'inf' : word}/1 mss:1 bytes_sent:${word} bytes_received:${word} retrans:0/${word}\n`;
    expect(one(text)).toMatchObject({ sentBytes: null, receivedBytes: null, retransmits: null });
    const { rttNanoseconds } = one(text);
    expect(rttNanoseconds).toBeNull();
  });

  it('has each line for itself: what does not parse spoils no other', () => {
    const garbage = [
      'x',
      'ESTAB',
      'ESTAB 0 0 1.2.3.4:5',
      'State Recv-Q Send-Q',
      'ESTAB 0 0 a b users:(("a",pid=x,fd=1))',
      'ESTAB 0 0 a b users:(("a"',
    ];
    for (const line of garbage) expect(all(`${SENDER}${line}\n${RECEIVER}`), line).toEqual([...all(SENDER), null, ...all(RECEIVER)]);
    expect(all(`\n\n${SENDER}\n`)).toEqual(all(SENDER));
  });

  it('never takes a part of a line for the whole', () => {
    const [sender, receiver] = all(SENDER + RECEIVER);
    const text = SENDER + RECEIVER;
    for (let length = 0; length < text.length; length++) {
      const whole = length < SENDER.length ? [] : [sender];
      expect(all(text.slice(0, length)), String(length)).toEqual(length === 0 || length === SENDER.length ? whole : [...whole, null]);
    }
    expect(all(text)).toEqual([sender, receiver]);
  });

  it('says no number that is not there, whatever byte is changed', () => {
    for (let at = 0; at < SENDER.length; at++) {
      for (const byte of ['\0', ' ', '\n', '9', ')', '(', '"', ',', ':']) {
        for (const socket of all(SENDER.slice(0, at) + byte + SENDER.slice(at + 1))) {
          for (const value of Object.values(socket ?? {})) if (typeof value === 'number') expect(value).toBeGreaterThanOrEqual(0);
          for (const pid of socket?.holders ?? []) expect(pid).not.toBeNaN();
        }
      }
    }
  });

  it('does not take ever longer for lines that begin and never end', () => {
    const lines = 20_000;
    expect(all(' users:((\n'.repeat(lines))).toHaveLength(lines);
  });
});
