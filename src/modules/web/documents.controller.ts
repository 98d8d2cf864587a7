import { Controller, Get, Header, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { parse } from 'yaml';
import { readOwnFile } from '../../host/own-files.js';
import { Doc } from '../../http/doc.js';
import { ApiError } from '../../model/errors.js';
import { API_PAGE, API_PAGE_SCRIPT } from './api-page.js';

/** What the page loads is ours; Swagger UI draws its icons from data URLs. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const A_DAY = 'max-age=86400';
const FILES: ReadonlyMap<string, string> = new Map([
  ['init.js', 'text/javascript'],
  ['swagger-ui-bundle.js', 'text/javascript'],
  ['swagger-ui.css', 'text/css'],
]);

/** The description of the API, which ships with the package, and a page to read it with. Nothing is fetched from elsewhere. */
@Controller()
export class DocumentsController {
  private json: string | undefined;

  @Get('openapi.yaml')
  @Header('content-type', 'application/yaml; charset=utf-8')
  @Doc({
    operationId: 'getOpenapiYaml',
    tag: 'documents',
    summary: 'This description',
    ok: { description: 'OpenAPI 3.1 in YAML.', contentType: 'application/yaml' },
    errors: ['unauthorized', 'not_found'],
  })
  yaml(): string {
    return shipped('openapi.yaml');
  }

  @Get('openapi.json')
  @Header('content-type', 'application/json; charset=utf-8')
  @Doc({
    operationId: 'getOpenapiJson',
    tag: 'documents',
    summary: 'This description as JSON',
    ok: { description: 'OpenAPI 3.1 in JSON.', contentType: 'application/json', schema: 'OpenapiDocument' },
    errors: ['unauthorized', 'not_found'],
  })
  asJson(): string {
    this.json ??= JSON.stringify(parse(shipped('openapi.yaml')));
    return this.json;
  }

  @Get('docs')
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('content-security-policy', POLICY)
  @Header('cache-control', A_DAY)
  @Doc({
    operationId: 'getDocs',
    tag: 'documents',
    summary: 'A page to read this description and try it',
    ok: { description: 'Swagger UI; it asks nobody but this agent.', contentType: 'text/html' },
    errors: ['unauthorized'],
  })
  page(): string {
    return API_PAGE;
  }

  @Get('docs/:file')
  @Doc({
    operationId: 'getDocsFile',
    tag: 'documents',
    summary: 'Script and style of that page',
    ok: { description: 'The file.', contentType: 'text/javascript', also: ['text/css'] },
    errors: ['unauthorized', 'not_found'],
    path: { file: [...FILES.keys()] },
  })
  async file(@Param('file') file: string, @Res() reply: FastifyReply): Promise<void> {
    const type = FILES.get(file);
    if (type === undefined) throw new ApiError('not_found', `${[...FILES.keys()].join(', ')} are here, and nothing else`);
    // Read again for each reader, who is rare: kept, it would be two megabytes.
    const text = file === 'init.js' ? API_PAGE_SCRIPT : shippedAsset(`swagger-ui/${file}`);
    await reply.headers({ 'content-type': `${type}; charset=utf-8`, 'cache-control': A_DAY }).send(text);
  }
}

/** Assets stand beside the compiled code; run from its sources, a checkout finds them in dist/. */
const shippedAsset = (name: string): string => readOwnFile(`dist/assets/${name}`) ?? shipped(`assets/${name}`);

function shipped(name: string): string {
  const text = readOwnFile(name);
  if (text === undefined) throw new ApiError('not_found', `this build ships without ${name}`);
  return text;
}
