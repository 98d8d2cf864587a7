import { createHash } from 'node:crypto';
import { Controller, Get, Headers, Query, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Doc } from '../../http/doc.js';
import { ProblemFilter } from '../../http/problem.filter.js';
import { ApiError } from '../../model/errors.js';
import { Settings } from '../../model/settings.js';
import { Tables } from '../../model/tables.js';
import { Collection } from '../collection/collection.js';
import { Registry } from '../instances/registry.js';
import { sandboxIdOf } from '../shim/sandbox-labels.js';
import { qualityOf } from './format.js';

const TEXT_TYPE = 'text/plain; charset=utf-8';
const STYLE = 'body{font:1rem/1.5 system-ui,sans-serif;margin:2rem}code{font-size:.9rem}';
const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The routes of kata-monitor besides its metrics, for whoever asks it now. */
@Controller()
@UseFilters(ProblemFilter)
export class SandboxesController {
  constructor(
    private readonly tables: Tables,
    private readonly collection: Collection,
    private readonly registry: Registry,
    private readonly settings: Settings,
  ) {}

  @Get('sandboxes')
  @Doc({
    operationId: 'listSandboxes',
    tag: 'metrics',
    summary: 'The Kata sandboxes that run',
    description: 'One full id a line, sorted, as kata-monitor gives them; a list with links for whoever prefers HTML.',
    ok: {
      description: 'Ids of running sandboxes; empty where there is none.',
      contentType: 'text/plain',
      also: ['text/html'],
      example: 'sandboxes.txt',
    },
    errors: ['unauthorized'],
  })
  async list(@Res() reply: FastifyReply, @Headers('accept') accept?: string): Promise<void> {
    await this.collection.fresh();
    const ids = this.tables.sandboxes.order.keys.map(({ parent }) => sandboxIdOf(parent)).sort();
    void reply.headers({ 'cache-control': 'no-store', vary: 'accept' });
    if (qualityOf(accept, 'text/html') > qualityOf(accept, 'text/plain')) {
      await reply
        .headers({ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY })
        .send(sandboxPage(ids, this.settings.telemetryPath.slice(1)));
      return;
    }
    await reply.header('content-type', TEXT_TYPE).send(ids.map((id) => `${id}\n`).join(''));
  }

  @Get('agent-url')
  @Doc({
    operationId: 'getAgentUrl',
    tag: 'metrics',
    summary: 'Where the agent in the guest of a Kata sandbox listens',
    description: 'From files and command lines; nobody is asked. `hvsock://` names a socket of the host, `vsock://` a CID.',
    ok: { description: 'The URL and a newline.', contentType: 'text/plain', example: 'agent-url.txt' },
    errors: ['invalid_id', 'invalid_request', 'unauthorized', 'not_found', 'ambiguous'],
    query: [{ name: 'sandbox', description: 'The sandbox, by id, name or unique prefix.', required: true }],
  })
  async agentUrl(@Res() reply: FastifyReply, @Query('sandbox') sandbox: unknown): Promise<void> {
    if (typeof sandbox !== 'string' || sandbox === '') throw new ApiError('invalid_request', 'sandbox= must name one sandbox');
    const instance = this.registry.get(sandbox);
    await this.collection.fresh(instance);
    if (instance.sandboxRow < 0) throw new ApiError('not_found', `Container ID (${sandbox}) does not exist`);
    const url = instance.record.sandbox?.agentUrl;
    if (url === undefined)
      throw new ApiError('not_found', `no file and no command line tells where the agent of sandbox ${instance.id} listens`);
    await reply.headers({ 'content-type': TEXT_TYPE, 'cache-control': 'no-store' }).send(`${url}\n`);
  }
}

/** Ids need no escaping: they are letters, digits, `_`, `.` and `-`. Links are relative, as everywhere. */
function sandboxPage(ids: readonly string[], metricsPath: string): string {
  const line = (id: string): string =>
    `<li><code>${id}</code>: <a href="instances/${id}">instance</a>, <a href="instances/${id}/stats">stats</a>, <a href="${metricsPath}?sandbox=${id}">metrics</a>, <a href="agent-url?sandbox=${id}">agent-url</a></li>\n`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Kata sandboxes</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
<h1>Kata sandboxes</h1>
${ids.length === 0 ? '<p>None runs on this host.</p>' : `<ul>\n${ids.map(line).join('')}</ul>`}
</html>
`;
}
