import { attempt, optionsOf, view, type Step } from "./steps.ts";

/** A unary call with these bytes as they are; only the code is kept, since texts name the decoder. */
export function rawCall(path: string, request: Uint8Array): Step {
  return view(rawOutcome(path, request), (outcome) => (outcome as { code: number }).code);
}

/** A call of a method that nobody serves: the code alone. */
export function missingMethod(path: string): Step {
  return rawCall(path, new Uint8Array());
}

function rawOutcome(path: string, request: Uint8Array): Step {
  return {
    title: `${path} <${request.length} bytes>`,
    run: (target) =>
      attempt(async (answers) => {
        const answer = await target.channel.unary(path, request, optionsOf({}, target));
        answers.push(answer.length);
      }),
  };
}
