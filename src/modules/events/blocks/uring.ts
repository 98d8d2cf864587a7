import type { TracepointCatalog } from '../catalog.js';
import type { BlockReason } from '../words.js';
import { FILE_MAPS, operationNumber } from './file-calls.js';
import { type Block, elapsed, isDisk, measured, offers, type Probe } from './probe.js';

/** enum io_uring_op: READV, READ_FIXED, READ, READV_FIXED and their writing counterparts; FSYNC. */
const READS = [1, 4, 22, 60];
const WRITES = [2, 5, 23, 61];
const FSYNC = 3;

const anyOf = (opcodes: readonly number[]): string => opcodes.map((opcode) => `$opcode == ${opcode}`).join(' || ');

/**
 * Requests of io_uring to regular files and block devices, from when the kernel takes one up to its end. The kernel uses the memory of
 * requests again, so whatever begins there, of whomever, ends what was remembered of it.
 */
export function uring(catalog: TracepointCatalog): Block | BlockReason {
  // Called submit_sqe before Linux 6.4.
  const submit = ['io_uring_submit_req', 'io_uring_submit_sqe'].find((name) =>
    offers(catalog, { [`io_uring/${name}`]: ['req', 'opcode'] }),
  );
  if (submit === undefined || !offers(catalog, { 'io_uring/io_uring_complete': ['req', 'res'] })) return 'missing_tracepoint';
  if (!catalog.hasBtf) return 'no_btf';
  const begun: Probe = {
    at: [`tracepoint:io_uring:${submit}`],
    when: '',
    first: '$req = (uint64)args->req; $opcode = (uint64)args->opcode; $k = @vm[pid];',
    body: `
  $operation = (uint64)0;
  if ($k) {
    if (${anyOf(READS)}) { $operation = (uint64)1; }
    if (${anyOf(WRITES)}) { $operation = (uint64)2; }
    if ($opcode == ${FSYNC}) { $operation = (uint64)3; }
  }
  if ($operation) { @request[$req] = nsecs; @request_of[$req] = $k; @request_to[$req] = $operation - 1; }
  else { if (@request[$req]) { delete(@request[$req]); } }`,
  };
  const key = '$whose, $operation';
  const ended: Probe = {
    at: ['tracepoint:io_uring:io_uring_complete'],
    when: '@request[(uint64)args->req]',
    first: '$now = nsecs; $req = (uint64)args->req; $res = (int64)args->res;',
    body: `
  $since = @request[$req]; $whose = @request_of[$req]; $operation = @request_to[$req]; $file = ((struct io_kiocb *)$req)->file;
  ${isDisk('$file')} {
    $ns = ${elapsed('$now', '$since')}; ${measured('fs', key, '$ns')}
    if ($res > 0 && $operation != ${operationNumber('fsync')}) { @fs_bytes[${key}] = sum((uint64)$res); }
  }
  delete(@request[$req]); delete(@request_of[$req]); delete(@request_to[$req]);`,
  };
  return { probes: [begun, ended], tells: FILE_MAPS };
}
