import { errorCodes } from "#proto/http2/constants.ts";
import { codeOf } from "#proto/wire/status.ts";
import type { AnswerHead } from "./answer-head.ts";
import { CallRequest } from "./call-request.ts";
import type { ClientConnection, RequestUser } from "./client-connection.ts";
import type { MethodCounter } from "./counters.ts";
import { HeldAnswer } from "./held-answer.ts";
import { mayRedirect, redirectRefusal, redirectTarget } from "./redirect.ts";
import { deadlineRefusal, refusalBlock, refusalTrailers, type Refusal } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";
import { resetStatus } from "./reset-status.ts";
import type { CallInFlight } from "./route-table.ts";
import type { Routes } from "./routes.ts";
import type { Forward } from "./routing.ts";
import { unlimitedBytes, type Stream } from "./stream.ts";
import { Target, type TargetCall } from "./target.ts";
import type { AnswerUser, UpstreamConnection } from "./upstream-connection.ts";

/**
 * waiting: not with a package (new, parked, or to be asked again). forwarded: HEADERS went to a package, and the client
 * was told nothing of an answer, though one may be held. answered: the answer has begun. ended: told its end, both
 * streams are closed or closing.
 */
export type CallState = "waiting" | "forwarded" | "answered" | "ended";

/**
 * A process that is being killed loses its connections one after another, and its kernel still accepts new ones before
 * the listener goes, too: a call that may be repeated is not lost for meeting more than one of these.
 */
const sameDeathLimit = 10;

/** A package that refuses a call so often will not take it; asking on would keep both busy for as long as it lives. */
const mostRefusals = 10;

/**
 * One call: a client's stream, the package's stream, and the request as far as it is kept.
 * DATA goes straight from one stream to the other. Owns: both streams' fate.
 */
export class Call implements RequestUser, AnswerUser, TargetCall {
  state: CallState = "waiting";
  readonly #client: Stream;
  readonly #request: CallRequest;
  readonly #routes: Routes;
  readonly #connection: ClientConnection;
  #plan: Forward | undefined;
  #redirectable = false;
  #counter: MethodCounter | undefined;
  #bootRefusal: Refusal | undefined;
  #upstream: Stream | undefined;
  #answerEnded = false;
  /** The beginning of an answer that may yet be asked for again. */
  #held: HeldAnswer | undefined;
  #tried = 0;
  /** Times that a package said that it had not begun with it. */
  #refused = 0;
  /** Generation whose connection broke under it last. */
  #lostGeneration = 0;
  /** Times that it met a death which was known, or a connection on which nothing had been said. */
  #sameDeath = 0;
  #code = codeOf("unknown");

  constructor(routes: Routes, connection: ClientConnection, streamId: number, head: RequestHead, endStream: boolean) {
    const now = routes.context.now();
    this.#routes = routes;
    this.#connection = connection;
    this.#request = new CallRequest(head, endStream, now, routes.context.pool);
    this.#client = connection.connect(streamId, this, endStream, now, head.contentLength);
    routes.counters.openCalls++;
  }

  get deadlineMs(): number | undefined {
    return this.#request.deadlineMs;
  }

  get keptBytes(): number {
    return this.#request.bytes;
  }

  /** Package and generation it is with, for a drain; undefined: with none. */
  get target(): Target | undefined {
    return this.#plan?.target;
  }

  /** Where it is counted; undefined: it waits for the boot and nobody knows whose it is. */
  get counter(): MethodCounter | undefined {
    return this.#counter;
  }

  /** What a crash report says of it. */
  describe(nowMs: number): CallInFlight {
    const { head, startedMs } = this.#request;
    return {
      method: head.path,
      ageMs: Math.max(0, Math.round(nowMs - startedMs)),
      caller: this.#connection.caller.label,
    };
  }

  /** Decides anew where it goes, and goes there. */
  route(): void {
    const decision = this.#routes.decide(this.#connection.caller, this.#request.head);
    switch (decision.type) {
      case "refuse":
        return this.refuse(decision.refusal);
      case "wait":
        this.#bootRefusal = decision.refusal;
        return this.#routes.awaitBoot(this, decision.refusal);
      case "forward":
        return this.#submit(decision);
    }
  }

  #submit(plan: Forward): void {
    if (this.#counter === undefined) {
      this.#counter = plan.counter;
      plan.counter.started++;
      plan.counter.requestBytes += this.keptBytes; // what came while nobody knew whose call it is
    }
    this.#plan = plan;
    this.#redirectable =
      !this.#request.redirected && mayRedirect(this.#routes.targets, plan.target, this.#request.head);
    plan.target.submit(this);
  }

  forward(connection: UpstreamConnection): void {
    const request = this.#request;
    const stream = connection.open(this, request.block(this.#routes.context.now()), request.headersOnly);
    this.state = "forwarded";
    this.#tried++;
    this.#upstream = stream;
    this.#client.source = stream;
    stream.source = this.#client;
    stream.creditedBytes = request.creditedBytes;
    if (this.#limited) stream.allowance = this.#routes.context.limits.keptBytes;
    if (request.headersOnly) return;
    request.replay(stream);
    this.#trimKept();
  }

  /** Answers the call with an error of the router's own. */
  refuse(refusal: Refusal): void {
    if (this.state === "ended") return;
    this.#code = codeOf(refusal.kind);
    this.#answerEnded = true;
    this.#dropUpstream(errorCodes.cancel);
    if (this.state === "answered") this.#client.sendTrailers(refusalTrailers(refusal));
    else this.#client.sendHeaders(refusalBlock(refusal), true);
  }

  onOverdue(cause: "deadline" | "parking-time"): void {
    const target = this.#plan?.target;
    const overdue = target === undefined ? this.#bootRefusal : target.overdueRefusal();
    if (cause === "parking-time" && overdue !== undefined) return this.refuse(overdue);
    this.refuse(deadlineRefusal(target === undefined ? "the boot" : `package ${target.name}`));
  }

  /** Its method ends only when someone ends it. */
  get unbounded(): boolean {
    return this.#plan?.policy.unbounded === true;
  }

  /** Cut at a drain: asked again where that is safe, else failed. */
  cut(): void {
    const target = this.#plan?.target;
    if (target === undefined || this.state === "ended") return;
    if (this.#mayRepeat) this.#again(target.drainRefusal());
    else this.refuse(target.drainRefusal());
  }

  onData(stream: Stream, bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (stream === this.#client) return this.#onRequestData(bytes, start, end, endStream);
    if (this.state === "forwarded" && this.#held === undefined) return this.#breakAnswer(stream);
    if (this.#held !== undefined && !endStream && this.#held.add(bytes, start, end)) return;
    this.#release();
    if (endStream) this.#onAnswerEnd(codeOf("unknown"));
    if (this.#counter !== undefined) this.#counter.answerBytes += end - start;
    this.#client.send(bytes, start, end, endStream);
  }

  onRequestTrailers(block: Buffer): void {
    this.#request.end(block);
    this.#upstream?.sendTrailers(block);
  }

  onAnswer(stream: Stream, head: AnswerHead, endStream: boolean): void {
    if (stream !== this.#upstream) return;
    this.#release();
    if (this.state === "answered") return this.#onTrailers(stream, head, endStream);
    if (head.httpStatus >= 100 && head.httpStatus < 200) {
      if (endStream) this.#breakAnswer(stream);
      else this.#client.sendHeaders(head.block, false);
      return;
    }
    if (head.httpStatus === 0) return this.#breakAnswer(stream);
    if (head.redirect !== "" && endStream) return this.#followRedirect(head);
    if (!endStream && this.#mayRepeat && !this.unbounded) return this.#hold(head);
    this.state = "answered";
    this.#request.drop();
    if (endStream) this.#onAnswerEnd(head.grpcStatus);
    else this.#liftAllowance(stream);
    this.#client.sendHeaders(head.block, endStream);
  }

  #hold({ block }: AnswerHead): void {
    const { pool, clock } = this.#routes.context;
    this.#held = new HeldAnswer(block, pool, clock, () => this.#release());
  }

  /** What is held goes to the client. */
  #release(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.state = "answered";
    this.#request.drop();
    if (this.#upstream !== undefined) this.#liftAllowance(this.#upstream);
    if (this.#counter !== undefined) this.#counter.answerBytes += held.bytes;
    held.release(this.#client);
  }

  onRefused(stream: Stream): void {
    if (stream !== this.#upstream || this.#answerEnded) return;
    const refusal = this.#plan?.target.lostRefusal("it refused the stream");
    if (refusal === undefined) return;
    if (this.state === "forwarded" && ++this.#refused < mostRefusals) this.#again(refusal);
    else this.refuse(refusal);
  }

  onReset(stream: Stream, code: number): void {
    if (stream === this.#client) return this.#cancel();
    if (stream !== this.#upstream || this.#answerEnded) return;
    this.#release();
    if (code === errorCodes.refusedStream && this.state === "forwarded") return this.onRefused(stream);
    this.#code = resetStatus(code);
    this.#answerEnded = true;
    this.#client.reset(code);
    this.#end();
  }

  onLost(stream: Stream, reason: string): void {
    if (stream === this.#client) return this.#cancel();
    if (stream !== this.#upstream || this.#answerEnded) return;
    const target = this.#plan?.target;
    if (target === undefined) return;
    const connection = stream.connection as UpstreamConnection;
    const known = connection.generation === this.#lostGeneration;
    this.#lostGeneration = connection.generation;
    if ((known || !connection.heard) && this.#sameDeath++ < sameDeathLimit) this.#tried--;
    if (!connection.handedOver(stream) || this.#mayRepeat) this.#again(target.lostRefusal(reason));
    else this.refuse(target.lostRefusal(reason));
  }

  onSent(stream: Stream): void {
    if (stream === this.#client) this.#end();
  }

  #onRequestData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    const request = this.#request;
    request.ended ||= endStream;
    request.add(bytes, start, end);
    if (this.#counter !== undefined) this.#counter.requestBytes += end - start;
    if (this.#upstream === undefined) return this.#onParkedData(end - start);
    this.#trimKept();
    this.#upstream.send(bytes, start, end, endStream);
  }

  #onParkedData(bytes: number): void {
    const target = this.#plan?.target;
    if (!this.#routes.growParked(this, bytes) && target !== undefined) this.refuse(target.fullRefusal());
  }

  /** Requests too large to be asked again are not kept; of one that may be redirected, the window bounds what is. */
  #trimKept(): void {
    if (this.keptBytes > this.#routes.context.limits.keptBytes && !this.#limited) this.#request.drop();
  }

  #onTrailers(stream: Stream, head: AnswerHead, endStream: boolean): void {
    if (!endStream || head.httpStatus !== 0) return this.#breakAnswer(stream);
    this.#onAnswerEnd(head.grpcStatus);
    this.#client.sendTrailers(head.block);
  }

  #onAnswerEnd(grpcStatus: number): void {
    this.#answerEnded = true;
    this.#code = grpcStatus < 0 ? codeOf("unknown") : grpcStatus;
  }

  /** The package's answer is no HTTP/2 answer. */
  #breakAnswer(stream: Stream): void {
    stream.reset(errorCodes.protocolError);
    this.refuse({ kind: "internal", message: `package ${this.#plan?.target.name ?? ""} sent a malformed answer` });
  }

  #liftAllowance(stream: Stream): void {
    if (stream.allowance === unlimitedBytes) return;
    stream.allowance = unlimitedBytes;
    stream.connection.enqueue(stream);
  }

  #followRedirect(answer: AnswerHead): void {
    const { head } = this.#request;
    const from = this.#plan?.target;
    if (from === undefined) return;
    const to = this.#redirectable
      ? redirectTarget(this.#routes.targets, from, answer.redirect, head)
      : redirectRefusal(from.name, answer.redirect, head);
    if (!(to instanceof Target)) return this.refuse(to);
    this.#leaveUpstream();
    this.#request.redirect(answer.added);
    this.#tried = 0;
    this.#lostGeneration = 0;
    this.#submit(this.#routes.redirectTo(to, head));
  }

  /** Whether a call that was handed over may be asked once more. */
  get #mayRepeat(): boolean {
    const request = this.#request;
    const small = request.kept && request.bytes <= this.#routes.context.limits.keptBytes;
    const idempotent = this.#plan?.policy.idempotent === true;
    return idempotent && small && request.ended && this.state === "forwarded" && this.#tried <= 1;
  }

  /** Has it wait for its package again; `otherwise` is its answer if its request is no longer here. */
  #again(otherwise: Refusal): void {
    if (!this.#request.kept || this.state !== "forwarded") return this.refuse(otherwise);
    this.#leaveUpstream();
    if (this.#request.redirected) this.#plan?.target.submit(this);
    else this.route();
  }

  #leaveUpstream(): void {
    const stream = this.#upstream;
    const request = this.#request;
    if (stream !== undefined) request.creditedBytes = Math.max(request.creditedBytes, stream.sentBytes);
    this.#dropUpstream(errorCodes.cancel);
    this.state = "waiting";
  }

  #dropUpstream(code: number): void {
    this.#held?.[Symbol.dispose]();
    this.#held = undefined;
    const stream = this.#upstream;
    this.#upstream = undefined;
    this.#client.source = undefined;
    stream?.reset(code);
  }

  #cancel(): void {
    this.#code = codeOf("canceled");
    this.#end();
  }

  #end(): void {
    if (this.state === "ended") return;
    if (this.state === "waiting") this.#routes.unpark(this);
    this.state = "ended";
    this.#dropUpstream(errorCodes.cancel);
    // The answer is whole: a client that still sends may stop, without this being an error.
    this.#client.reset(errorCodes.noError);
    this.#request.drop();
    this.#routes.counters.openCalls--;
    this.#counter?.end(this.#code, this.#routes.context.now() - this.#request.startedMs);
    this.#routes.onEnded(this);
  }

  /** Its package may redirect it, and is therefore given no more than is kept for the replay. */
  get #limited(): boolean {
    return this.#redirectable && this.state !== "answered";
  }
}
