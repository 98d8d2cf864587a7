import { createHash } from 'node:crypto';
import { Controller, Get, Headers, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Doc } from '../../http/doc.js';
import { Collection } from '../collection/collection.js';
import { homePage } from './home.html.js';
import { HomeReporter } from './home.report.js';
import { HOME_STYLE } from './home.style.js';
import { homeText } from './home.text.js';

const STYLE_HASH = createHash('sha256').update(HOME_STYLE.text).digest('base64');
/** `img-src data:` is for the empty icon, without which browsers ask for /favicon.ico. */
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** What is here, for people: HTML for browsers, text for a terminal. */
@Controller()
export class HomeController {
  constructor(
    private readonly collection: Collection,
    private readonly reporter: HomeReporter,
  ) {}

  @Get()
  @Doc({
    operationId: 'getHome',
    tag: 'documents',
    summary: 'A page for people: what runs here and where to look next',
    description: 'HTML for whoever accepts it, a compact list in plain text for everybody else, curl among them. At most 200 instances.',
    ok: { description: 'The page.', contentType: 'text/html', also: ['text/plain'] },
    errors: ['unauthorized'],
  })
  async home(@Res() reply: FastifyReply, @Headers('accept') accept = ''): Promise<void> {
    await this.collection.fresh();
    const report = this.reporter.report();
    void reply.headers({ 'cache-control': 'no-store', vary: 'accept' });
    if (/\btext\/html\b/i.test(accept)) {
      await reply.headers({ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY }).send(homePage(report));
      return;
    }
    await reply.header('content-type', 'text/plain; charset=utf-8').send(homeText(report));
  }
}
