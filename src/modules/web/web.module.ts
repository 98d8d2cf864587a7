import { Module } from '@nestjs/common';
import { DocumentsController } from './documents.controller.js';
import { HomeController } from './home.controller.js';
import { HomeReporter } from './home.report.js';

/** Pages for people, and the description of the API. */
@Module({ providers: [HomeReporter], controllers: [HomeController, DocumentsController] })
export class WebModule {}
