import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compileFilters, filterField, filterLabel, type FilterAdaptor } from "#proto/wire/filters.ts";
import { isHostError } from "#proto/wire/errors.ts";

const image: FilterAdaptor = ([field, ...rest]) => {
  if (field === "name") return filterField("docker.io/library/a:1");
  if (field === "empty") return filterField("");
  if (field === "labels") return filterLabel({ "x.io/y": "z", "a.b": "c", "": "nameless" }, rest);
  return filterField(undefined);
};

/** Each text was answered by containerd 1.6.20. */
const broken: readonly (readonly [filter: string, message: string])[] = [
  ["name=", '[name >|=|< ]: unsupported operator "="'],
  ["name==.x", "[name== >|.|< x]: expected value or quoted"],
  ["a===b", '[a >|=|< ==b]: unsupported operator "==="'],
  ['name=="abc', '[name== >|"|< abc]: quoted literal not terminated'],
  ["name==/abc/", "[name== >|/|< abc/]: invalid quote encountered"],
  ["name~=/abc", "[name~= >|/|< abc]: quoted literal not terminated"],
  ["foo.", "[foo.]: expected field or quoted"],
  ["foo..bar", "[foo. >|.|< bar]: expected field or quoted"],
  ["foo==bar,", "[foo==bar,]: expected field or quoted"],
  ["foo==bar ", "[foo==bar >| |< ]: unexpected input:  "],
  [",", "[ >|,|< ]: expected field or quoted"],
  ["foo==bar , a==b", "[foo==bar >| |< , a==b]: unexpected input:  "],
  ['name=="\\d"', '[name== >|"|< \\d"]: illegal escape sequence'],
  ['name=="\\400"', '[name== >|"|< \\400"]: unquoting failed: quote syntax error'],
  ['name=="\\x4"', '[name== >|"|< \\x4"]: illegal numeric escape sequence'],
  ['name=="\\U00110000"', '[name== >|"|< \\U00110000"]: unquoting failed: quote syntax error'],
  ["labels.x.io/y==z", "[labels.x.io >|/|< y==z]: quoted literal not terminated"],
  ["name!x", '[name >|!|< x]: unsupported operator "!"'],
  ["name!=", "[name!=]: expected value or quoted"],
  ['"name', '[ >|"|< name]: quoted literal not terminated'],
  ["/name/==x", "[ >|/|< name/==x]: invalid quote encountered"],
  ["é==x", "[ >|\ufffd|< \ufffd==x]: expected field or quoted"],
  ["name==a\tb", "[name==a >|\t|< b]: unexpected input: \t"],
  ["a,,b", "[a, >|,|< b]: expected field or quoted"],
  ["!", "[ >|!|< ]: expected field or quoted"],
  ['name=="a\nb"', '[name== >|"|< a\nb"]: quoted literal not terminated'],
  ["name~=/\\d/", "[name~= >|/|< \\d/]: illegal escape sequence"],
  ["name== ", "[name== ]: expected value or quoted"],
  ['name == "x"y', '[name == "x" >|y|< ]: unexpected input: y'],
  ["name~=", "[name~=]: expected value or quoted"],
  ["name==\ufffd", "[name== >|\ufffd|< \ufffd\ufffd]: rune error"],
  ["name==x\ufffd", "[name==x >|\ufffd|< \ufffd\ufffd]: unexpected input: \ufffd"],
  ['name=="\ufffd"', '[name== >|"|< \ufffd"]: rune error'],
  ["name==\0", "[name== >|\0|< ]: unexpected null"],
  ["name\0", "[name >|\0|< ]: unexpected null"],
  ["name==\x01\x02", "[name==\x01 >|\x02|< ]: unexpected input: \x02"],
  ["$x==1", "[ >|$|< x==1]: expected field or quoted"],
  ['name "x"', '[name  >|"|< x"]: expected an operator ("=="|"!="|"~=")'],
  ["a .b==c", '[a  >|.|< b==c]: expected an operator ("=="|"!="|"~=")'],
  ['name=="x".y', '[name=="x" >|.|< y]: unexpected input: .'],
  ['name=="a\\', '[name== >|"|< a\\]: illegal escape sequence'],
  ["  ", "[  ]: expected field or quoted"],
  ["~=x", "[ >|~|< =x]: expected field or quoted"],
  ["name==x\u00a0", "[name==x >|\ufffd|< \ufffd]: unexpected input: \u00a0"],
];

const matching: readonly (readonly [filters: readonly string[], passes: boolean])[] = [
  [[], true],
  [[""], true],
  [["nosuch", ""], true],
  [["nosuch"], false],
  [["name"], true],
  [["empty"], true],
  [["name==docker.io/library/a:1"], true],
  [["name == docker.io/library/a:1"], true],
  [[' name=="docker.io/library/a:1"'], true],
  [["name==x", "name==docker.io/library/a:1"], true],
  [["name==docker.io/library/a:1,nosuch"], false],
  [["name==docker.io/library/a:1,  empty"], true],
  [['empty=="",name'], true],
  [['nosuch==""'], false],
  [["nosuch!=x"], true],
  [['nosuch!=""'], false],
  [["name!=docker.io/library/a:1"], false],
  [['labels."x.io/y"==z'], true],
  [['labels.x."io/y"==z'], true],
  [["labels.a.b==c"], true],
  [["labels.a. b==c"], true],
  [["labels.a"], false],
  [["labels.toString"], false],
  [["labels"], true],
  [["name~=^docker"], true],
  [["name~=library/[a-c]:\\d$"], true],
  [["name~=/library\\/a/"], true],
  [["name~=|library/a|"], true],
  [['name~="^x"'], false],
  [["nosuch~=^$"], true],
  [["name~=["], false],
  [["name~=(?<=x)"], false],
  [['name=="docker\\x2eio\\u002flibrary\\057a:1"'], true],
  [['name=="\\ud800"'], false],
  [["name==x=y"], false],
  [["0==1"], false],
  [["name~='docker'"], false],
];

describe("filters", () => {
  for (const [filter, message] of broken) {
    it(`say what is wrong with ${JSON.stringify(filter)} in containerd's words`, () => {
      assert.throws(
        () => compileFilters(["name", filter]),
        (error: unknown) => {
          assert.ok(isHostError(error, "invalid-argument"));
          assert.equal(error.message, `filters: parse error: ${message}: invalid argument`);
          return true;
        },
      );
    });
  }

  for (const [filters, passes] of matching) {
    it(`${JSON.stringify(filters)} ${passes ? "pass" : "do not pass"}`, () => {
      assert.equal(compileFilters(filters)(image), passes);
    });
  }

  it("unquote every escape of Go", () => {
    const value: FilterAdaptor = () => filterField('\x07\b\f\n\r\t\v\\"é😀A');
    assert.ok(compileFilters(['x=="\\a\\b\\f\\n\\r\\t\\v\\\\\\"\\u00e9\\U0001f600\\x41"'])(value));
  });

  it("take no time out of proportion for a hostile expression", () => {
    const value: FilterAdaptor = () => filterField(`${"a".repeat(2000)}!`);
    assert.equal(compileFilters(["x~=^(a+)+$"])(value), false);
  });
});
