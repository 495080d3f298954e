/** A change to the files of `proto/`, by their paths relative to it. */
export type ProtoEdit = (files: Map<string, string>) => void;

const V1 = 'graft/v1';
const RUN = `${V1}/run.proto`;
const SWEEP = `${V1}/sweep.proto`;
const TOKENS = `${V1}/token_service.proto`;
const TRAINERS = `${V1}/trainer_service.proto`;

/** Replaces one occurrence. Throws {Error} if there is none, so that no edit is empty. */
function replace(path: string, place: string | RegExp, text: string): ProtoEdit {
  return (files) => {
    const before = files.get(path) ?? '';
    const after = before.replace(place, text);
    if (after === before) throw new Error(`${path} has no ${String(place)}.`);
    files.set(path, after);
  };
}

/** Replaces every occurrence of a word in all files. */
function renameAll(from: string, to: string): ProtoEdit {
  return (files) => {
    for (const [path, text] of files) files.set(path, text.replaceAll(new RegExp(String.raw`\b${from}\b`, 'g'), to));
  };
}

/** Removes a message, an enum or a service together with its comment. */
function removeBlock(path: string, head: string): ProtoEdit {
  return replace(path, new RegExp(String.raw`(// [^\n]*\n)*${head} \{[\s\S]*?\n\}\n`), '');
}

/** Removes a line together with the comment above it. */
function removeLine(path: string, line: string): ProtoEdit {
  return replace(path, new RegExp(String.raw`( *//[^\n]*\n)*[^\n]*\b${line}[^\n]*\n`), '');
}

function both(...edits: readonly ProtoEdit[]): ProtoEdit {
  return (files) => edits.forEach((edit) => edit(files));
}

function moveFile(from: string, to: string): ProtoEdit {
  return (files) => {
    const text = files.get(from) ?? '';
    files.delete(from);
    if (to !== '') files.set(to, text);
  };
}

const AFTER_CLASS_RESULT = 'message ClassResult {';

/** Edits that break a client, each with the checks that must detect it: rules of `buf breaking`, `build`, `list`. */
export const BREAKING_EDITS: readonly (readonly [name: string, caughtBy: readonly string[], edit: ProtoEdit])[] = [
  ['renumber a field', ['FIELD_NO_DELETE'], replace(RUN, 'double accuracy = 3;', 'double accuracy = 93;')],
  ['renumber an enum value', ['ENUM_VALUE_NO_DELETE'], replace(RUN, 'STAGE_EVALUATE = 5;', 'STAGE_EVALUATE = 95;')],
  [
    'swap two fields',
    ['FIELD_SAME_NAME'],
    both(
      replace(RUN, 'precision = 2;', 'precision = 93;'),
      replace(RUN, 'recall = 3;', 'recall = 2;'),
      replace(RUN, 'precision = 93;', 'precision = 3;'),
    ),
  ],
  ['retype a field, another size', ['FIELD_SAME_TYPE'], replace(RUN, 'double f1 = 4;', 'float f1 = 4;')],
  ['retype a field, same on the wire', ['FIELD_SAME_TYPE'], replace(RUN, 'int32 support = 5;', 'int64 support = 5;')],
  [
    'retype a field, string to bytes',
    ['FIELD_SAME_TYPE'],
    replace(RUN, 'string class_name = 1;', 'bytes class_name = 1;'),
  ],
  ['retype a field, enum to integer', ['FIELD_SAME_TYPE'], replace(SWEEP, 'Goal goal = 2;', 'int32 goal = 2;')],
  [
    'retype a field, another message',
    ['FIELD_SAME_TYPE'],
    replace(RUN, 'repeated ClassResult class_results', 'repeated Run class_results'),
  ],
  [
    'make a field repeated',
    ['FIELD_SAME_CARDINALITY'],
    replace(RUN, 'string role = 12;', 'repeated string role = 12;'),
  ],
  ['drop optional', ['FIELD_SAME_CARDINALITY'], replace(RUN, 'optional double roc_auc', 'double roc_auc')],
  ['add optional', ['FIELD_SAME_CARDINALITY'], replace(RUN, 'double loss = 6;', 'optional double loss = 6;')],
  [
    'move a field into a oneof',
    ['FIELD_SAME_ONEOF'],
    replace(RUN, 'string role = 12;', 'oneof why {\n    // Why.\n    string role = 12;\n  }'),
  ],
  ['rename a field', ['FIELD_SAME_NAME'], replace(RUN, 'double accuracy_low', 'double lower_accuracy')],
  [
    'give a field another JSON name',
    ['FIELD_SAME_JSON_NAME'],
    replace(RUN, 'accuracy_high = 5;', 'accuracy_high = 5 [json_name = "high"];'),
  ],
  ['rename a message', ['MESSAGE_NO_DELETE', 'list'], renameAll('ClassResult', 'ResultOfClass')],
  ['rename an enum', ['ENUM_NO_DELETE', 'list'], renameAll('Goal', 'Direction')],
  ['rename an enum value', ['ENUM_VALUE_SAME_NAME'], renameAll('GOAL_MAXIMIZE', 'GOAL_LARGER')],
  ['rename a method', ['RPC_NO_DELETE', 'list'], renameAll('RevokeToken', 'EndToken')],
  ['rename a service', ['SERVICE_NO_DELETE', 'list'], renameAll('TokenService', 'TokensService')],
  ['rename a file', ['FILE_NO_DELETE', 'list'], moveFile(TOKENS, `${V1}/tokens.proto`)],
  ['rename a oneof', ['ONEOF_NO_DELETE'], replace(TRAINERS, 'oneof result {', 'oneof outcome {')],
  ['remove a field', ['FIELD_NO_DELETE'], removeLine(RUN, 'correct_count = 9')],
  [
    'remove a field and reserve it',
    ['FIELD_NO_DELETE'],
    both(
      removeLine(RUN, 'correct_count = 9'),
      replace(RUN, 'message TestResult {', 'message TestResult {\n  reserved 9;\n  reserved "correct_count";\n'),
    ),
  ],
  [
    'remove a message',
    ['MESSAGE_NO_DELETE', 'list'],
    both(removeBlock(RUN, 'message ClassResult'), removeLine(RUN, 'class_results = 11')),
  ],
  ['remove an enum', ['ENUM_NO_DELETE', 'list'], both(removeBlock(SWEEP, 'enum Goal'), removeLine(SWEEP, 'goal = 2'))],
  ['remove an enum value', ['ENUM_VALUE_NO_DELETE'], removeLine(SWEEP, 'GOAL_MAXIMIZE = 2')],
  [
    'remove an enum value and reserve it',
    ['ENUM_VALUE_NO_DELETE'],
    both(
      removeLine(SWEEP, 'GOAL_MAXIMIZE = 2'),
      replace(SWEEP, 'enum Goal {', 'enum Goal {\n  reserved 2;\n  reserved "GOAL_MAXIMIZE";\n'),
    ),
  ],
  ['remove a method', ['RPC_NO_DELETE', 'list'], removeLine(TRAINERS, 'rpc ReleaseTask')],
  ['remove a service', ['SERVICE_NO_DELETE', 'list'], removeBlock(TRAINERS, 'service TrainerService')],
  ['remove a file', ['FILE_NO_DELETE', 'list'], moveFile(TOKENS, '')],
  [
    'give a method another request',
    ['RPC_SAME_REQUEST_TYPE', 'list'],
    replace(TRAINERS, 'ReleaseTask(ReleaseTaskRequest)', 'ReleaseTask(LeaseTaskRequest)'),
  ],
  [
    'give a method another response',
    ['RPC_SAME_RESPONSE_TYPE', 'list'],
    replace(TRAINERS, 'returns (ReleaseTaskResponse)', 'returns (LeaseTaskResponse)'),
  ],
  [
    'make a method stream',
    ['RPC_SAME_SERVER_STREAMING', 'list'],
    replace(TRAINERS, 'returns (LeaseTaskResponse)', 'returns (stream LeaseTaskResponse)'),
  ],
  [
    'stop a method from streaming',
    ['RPC_SAME_CLIENT_STREAMING', 'list'],
    replace(TRAINERS, 'ReportMetrics(stream ', 'ReportMetrics('),
  ],
  [
    'move a file to another package',
    ['FILE_SAME_PACKAGE', 'list'],
    replace(TOKENS, 'package graft.v1;', 'package graft.v2;'),
  ],
  [
    'move a message to another file',
    ['MESSAGE_NO_DELETE'],
    both(
      removeLine(TRAINERS, 'message ReleaseTaskResponse'),
      replace(RUN, AFTER_CLASS_RESULT, 'message ReleaseTaskResponse {}\n\nmessage ClassResult {'),
    ),
  ],
  [
    'reserve a number that is used',
    ['build'],
    replace(RUN, AFTER_CLASS_RESULT, `${AFTER_CLASS_RESULT}\n  reserved 4;\n`),
  ],
];

/** Reserves a number and a name before this edit is applied. */
export const RESERVED_BEFORE: ProtoEdit = replace(
  RUN,
  AFTER_CLASS_RESULT,
  `${AFTER_CLASS_RESULT}\n  reserved 99;\n  reserved "old";\n`,
);

/** Edits that only add: nothing breaks, and additions with a name appear in the list. */
export const ADDING_EDITS: readonly (readonly [name: string, caughtBy: readonly string[], edit: ProtoEdit])[] = [
  ['add a field', [], replace(RUN, 'int32 support = 5;', 'int32 support = 5;\n  // More.\n  int32 more = 6;')],
  [
    'add a method',
    ['list'],
    replace(
      TRAINERS,
      'service TrainerService {',
      'service TrainerService {\n  // More.\n  rpc More(ReleaseTaskRequest) returns (ReleaseTaskResponse);',
    ),
  ],
  ['add a message', ['list'], replace(RUN, AFTER_CLASS_RESULT, 'message More {}\n\nmessage ClassResult {')],
];
