// openapi.yaml out of the controllers: their routes by Nest, their words by `@Doc`, their shapes by the declarations.
import { readFileSync } from 'node:fs';
import {
  ApiBody,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  ApiSecurity,
  ApiTags,
  DocumentBuilder,
  SwaggerModule,
} from '@nestjs/swagger';
import { ID_PATTERN } from '../../dist/model/instance.js';
import { Tables } from '../../dist/model/tables.js';
import { COLLECTORS } from '../../dist/modules/collection/collectors.js';
import { handlers, makeApp } from './app.mjs';
import { exampleOf } from './examples.mjs';
import { ProblemResponses, problemExamples } from './problems.mjs';
import { schemas } from './schemas.mjs';

const root = new URL('../../', import.meta.url);
const golden = new URL('test/golden/', root).pathname;
const { version, description } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));

const TAGS = {
  instances: 'Virtual machines of this host and their statistics, in JSON.',
  metrics: 'The same numbers for Prometheus.',
  host: 'What this host can give.',
  health: 'Probes. They ask for no token.',
  documents: 'Pages for people, and this description.',
};

const ID = {
  name: 'id',
  description: 'Id of an instance, its name, or the beginning of one id only.',
  schema: { type: 'string', pattern: ID_PATTERN.source },
  example: 'web-1',
};
/** A registration names what nobody may know yet: nothing to complete. */
const EXACT_ID = { ...ID, description: 'Id of the instance, in full.' };

/** The document as an object with its members in a fixed order. */
export async function makeDocument() {
  const app = await makeApp();
  try {
    const all = handlers(app);
    for (const handler of all) decorate(handler);
    const generated = SwaggerModule.createDocument(app, configuration(), { autoTagControllers: false });
    const problems = new ProblemResponses(all.flatMap(({ doc }) => doc.errors));
    const errors = new Map(all.map(({ doc }) => [doc.operationId, problems.of(doc.errors)]));
    return finish(generated, errors, {
      schemas: schemas(app.get(Tables, { strict: false }), COLLECTORS),
      responses: sorted(problems.components),
    });
  } finally {
    await app.close();
  }
}

function configuration() {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('vmgauge')
    .setVersion(version)
    .setDescription(description)
    .addServer('http://127.0.0.1:10177', 'Where the agent listens unless told otherwise.');
  for (const [name, words] of Object.entries(TAGS)) builder.addTag(name, words);
  return builder.build();
}

function decorate({ controller, method, doc }) {
  const { prototype } = controller;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, method);
  const { operationId, tag, summary, open } = doc;
  const decorators = [
    ApiOperation({ operationId, summary, ...(doc.description ? { description: doc.description } : {}) }),
    ApiTags(tag),
    ...(open ? [] : [ApiSecurity('bearer')]),
    ...(doc.query ?? []).map((query) => ApiQuery(queryOf(query))),
    ...Object.entries(doc.path ?? {}).map(([name, words]) =>
      ApiParam({ name, description: 'Which file.', schema: { type: 'string', enum: [...words] } }),
    ),
    ...(doc.body ? [ApiBody({ required: true, schema: { $ref: `#/components/schemas/${doc.body}` } })] : []),
    ApiResponse(success(doc.ok)),
  ];
  for (const decorator of decorators) decorator(prototype, method, descriptor);
}

function queryOf({ name, description, type = 'string', values, required = false }) {
  const item = { type: type === 'array' ? 'string' : type, ...(values ? { enum: [...values] } : {}) };
  const schema = type === 'array' ? { type: 'array', items: item } : item;
  return { name, description, required, schema, ...(type === 'array' ? { style: 'form', explode: true } : {}) };
}

function success({ status = 200, description, contentType, also = [], schema, example }) {
  if (contentType === undefined) return { status, description };
  const body = schema ? { $ref: `#/components/schemas/${schema}` } : { type: 'string' };
  const given = example === undefined ? undefined : exampleOf(golden, example, contentType);
  const content = { [contentType]: { schema: body, ...(given === undefined ? {} : { example: given }) } };
  for (const type of also) content[type] = { schema: { type: 'string' } };
  return { status, description, content };
}

function finish({ openapi, info, servers, tags, paths }, errors, { schemas, responses }) {
  return {
    openapi,
    info: {
      title: info.title,
      version: info.version,
      description: info.description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers,
    security: [{ bearer: [] }],
    tags,
    paths: Object.fromEntries(Object.entries(sorted(paths)).map(([path, operations]) => [path, finishPath(operations, errors)])),
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description:
            'Asked for where `web.token-file` names tokens. Registering needs one of `source.registration.token-file`, whatever else is open.',
        },
      },
      schemas,
      responses,
      examples: problemExamples(),
    },
  };
}

const sorted = (record) => Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

const finishPath = (operations, errors) =>
  Object.fromEntries(Object.entries(operations).map(([verb, operation]) => [verb, finishOperation(operation, verb, errors)]));

/** Members in the order people read them, without what Nest adds for headers and for what it cannot know. */
function finishOperation({ operationId, summary, description, tags, parameters, requestBody, responses, security }, verb, errors) {
  const kept = parameters
    .filter((parameter) => parameter.in !== 'header')
    .map((parameter) => (parameter.in === 'path' && parameter.name === 'id' ? idOf(verb) : parameter));
  return {
    operationId,
    summary,
    ...(description ? { description } : {}),
    tags,
    ...(security ? {} : { security: [] }),
    ...(kept.length > 0 ? { parameters: kept } : {}),
    ...(requestBody ? { requestBody } : {}),
    responses: { ...responses, ...errors.get(operationId) },
  };
}

const idOf = (verb) => {
  const { name, description, schema, example } = verb === 'get' ? ID : EXACT_ID;
  return { name, in: 'path', required: true, description, schema, example };
};
