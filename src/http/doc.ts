import { SetMetadata } from '@nestjs/common';
import type { ErrorCode } from '../model/errors.js';

export const DOC = 'vmgauge:doc';

/** What openapi.yaml says of a route beyond path and method. Read by the generator only; nothing of it costs a request anything. */
export interface RouteDoc {
  /** What a generated client calls the function. */
  readonly operationId: string;
  readonly tag: 'instances' | 'metrics' | 'host' | 'health' | 'documents';
  readonly summary: string;
  readonly description?: string;
  readonly ok: {
    readonly status?: number;
    readonly description: string;
    /** Missing where the answer has no body. */
    readonly contentType?: string;
    /** Further types that Accept can ask for; their bodies are text. */
    readonly also?: readonly string[];
    /** Name of a schema the generator knows; text bodies have none. */
    readonly schema?: string;
    /** File below test/golden whose content is the example. */
    readonly example?: string;
  };
  readonly errors: readonly ErrorCode[];
  readonly query?: readonly QueryDoc[];
  /** Values of path parameters other than an instance's id. */
  readonly path?: Readonly<Record<string, readonly string[]>>;
  /** Name of the schema of the request's body. */
  readonly body?: string;
  /** The route asks for no token even where the others do. */
  readonly open?: boolean;
}

export interface QueryDoc {
  readonly name: string;
  readonly description: string;
  readonly type?: 'string' | 'integer' | 'array';
  /** Where only these are accepted. */
  readonly values?: readonly string[];
  /** Without it the answer is 400. */
  readonly required?: true;
}

export const Doc = (doc: RouteDoc): MethodDecorator => SetMetadata(DOC, doc);
