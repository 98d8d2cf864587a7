import { Module } from '@nestjs/common';
import { HomeController } from './home.controller.js';

/** Pages for people. */
@Module({ controllers: [HomeController] })
export class WebModule {}
