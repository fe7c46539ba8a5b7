import assert from "node:assert/strict";
import { test } from "node:test";
import { Exposition } from "../../../supervisor/services/exposition.ts";

test("families keep their order, and labels and odd values are escaped", () => {
  const exposition = new Exposition();
  const second = exposition.family("b_total", "counter", "B.");
  exposition.family("a", "gauge", "A.")({}, Number.POSITIVE_INFINITY);
  second({ name: 'x"\\\n' }, 2);
  exposition.family("b_total", "counter", "B.")({ name: "y" }, 3);
  assert.equal(
    exposition.toString(),
    '# HELP b_total B.\n# TYPE b_total counter\nb_total{name="x\\"\\\\\\n"} 2\nb_total{name="y"} 3\n' +
      "# HELP a A.\n# TYPE a gauge\na +Inf\n",
  );
});

test("merged text joins its families, and a series that is there already is left out", () => {
  const exposition = new Exposition();
  exposition.family("up", "gauge", "Up.")({ package: "a" }, 1);
  exposition.merge('# HELP up Other.\n# TYPE up gauge\nup{package="a"} 0\nup{package="b"} 1\n');
  exposition.merge('up{package="c"} 1 1700000000000\nbare 5\nnot a metric!\n\n# just a remark\n');
  assert.equal(
    exposition.toString(),
    '# HELP up Up.\n# TYPE up gauge\nup{package="a"} 1\nup{package="b"} 1\nup{package="c"} 1 1700000000000\n' +
      "# TYPE bare untyped\nbare 5\n",
  );
});

test("a histogram's parts stay in one family", () => {
  const text = `# HELP t Time.
# TYPE t histogram
t_bucket{le="1"} 1
t_bucket{le="+Inf"} 2
t_sum 3
t_count 2
`;
  const exposition = new Exposition();
  exposition.merge(text);
  exposition.merge("t_other 1\n");
  assert.equal(exposition.toString(), `${text}# TYPE t_other untyped\nt_other 1\n`);
});
