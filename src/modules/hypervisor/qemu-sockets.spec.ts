import { describe, expect, it } from 'vitest';
import { evidenceOf } from '../../../test/contracts/process-evidence.js';
import { parseQemuWords } from './argv.js';
import { qmpSockets } from './qemu-sockets.js';

const listening = new Map([[7, '/run/q7.sock']]);
const sockets = (...argv: string[]) => qmpSockets(parseQemuWords(['qemu', ...argv]), evidenceOf({ listening }));

describe('qmpSockets', () => {
  it.each([
    [['-qmp', 'unix:/run/q.sock,server=on,wait=off'], ['/run/q.sock']],
    [['-qmp', 'unix:/run/a,,b.sock,server,nowait'], ['/run/a,b.sock']],
    [['-qmp-pretty', 'unix:q.sock,server=on'], ['q.sock']],
    [['-qmp', 'unix:fd=7,server=on'], ['/run/q7.sock']],
    [['-qmp', 'unix:fd=8,server=on'], []],
    [['-qmp', 'tcp:localhost:4444,server=on'], []],
    [['-qmp', 'stdio'], []],
    [['-qmp', 'unix:/run/manager.sock'], []],
    [['-qmp', 'unix:x,abstract=on,server=on'], []],
    [['-monitor', 'unix:/run/human.sock,server=on'], []],
    [['-chardev', 'socket,id=c,path=/c,server=on', '-mon', 'chardev=c,mode=control'], ['/c']],
    [['-chardev', 'socket,id=c,path=/c,server=on', '-mon', 'c,mode=control,pretty=on'], ['/c']],
    [['-chardev', 'socket,id=c,path=/c,server=on', '-qmp', 'chardev:c'], ['/c']],
    [['-chardev', 'socket,id=c,fd=7,server=on', '-mon', 'chardev=c,mode=control'], ['/run/q7.sock']],
    [['-chardev', 'socket,id=c,path=/c,server=on', '-mon', 'chardev=c,mode=readline'], []],
    [['-chardev', 'socket,id=c,path=/c,server=on', '-mon', 'chardev=c'], []],
    [['-chardev', 'pty,id=c', '-mon', 'chardev=c,mode=control'], []],
    [
      ['-qmp', 'unix:/a,server=on', '-qmp', 'unix:/b,server=on', '-qmp', 'unix:/a,server=on'],
      ['/a', '/b'],
    ],
  ])('%j', (argv, expected) => {
    expect(sockets(...argv)).toEqual(expected);
  });
});
