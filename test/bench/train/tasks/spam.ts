// SpamAssassin: a classifier of attention blocks from labels, a student of a fifth of its weights from labels alone, the
// same student from the teacher, as many steps on the same mails; and from the labels of few mails, where those of the others
// are not there, as they mostly are not. Mails have their own lengths.
import { writeFileSync } from "node:fs";
import { encodeModel } from "../../../../src/formats/onnx.js";
import { mailBatch, spamAccuracy } from "../judge.js";
import { hardLoss, learn, logitsOf, type Samples, softLoss } from "../learn.js";
import { spamClassifier, spamStudent, spamTeacher } from "../models/spam.js";
import type { Goal, Row } from "../result.js";
import { type Mail, readSpam } from "../spam.js";
import { beside, kept, type Task, type Trained } from "./task.js";

const id = "spam";
const measure = "accuracy";
/** One mail of so many has a label where labels are few. */
const rare = 20;
/** Learning rates of the student that has few labels; the better one on mails that it does not learn from is taken. */
const rates = [1e-3, 3e-3] as const;

function mailSamples(mails: readonly Mail[]): Samples {
  const lengthOf = (mail: Mail) => Math.max(1, mail.ids.length);
  return {
    count: mails.length,
    row: (at) => mailBatch([mails[at]!], lengthOf(mails[at]!)),
    label: (at) => mails[at]!.label,
  };
}

export const spam: Task = {
  id,
  title: "SpamAssassin: teacher and student",
  async run(settings) {
    const mails = readSpam();
    if (!mails) return undefined;
    const judge = spamAccuracy(mails.test);
    const samples = mailSamples(mails.train);
    const rows: Row[] = [];
    const course = {
      steps: settings.quick ? 30 : 750,
      batchSize: 32,
      rate: 1e-3,
      weightDecay: 0.01,
      threads: settings.threads,
    };
    const add = async (what: string, trained: Trained, seed?: number) => {
      const { weights, bytes, seconds, file } = trained;
      const value = await judge(file);
      const row = { task: id, what, measure, value, weights, bytes, steps: course.steps, seconds };
      rows.push({ ...row, ...(seed === undefined ? {} : { seed }) });
      console.log(`  ${what}: ${value.toFixed(2)} %, ${weights} weights`);
      return value;
    };
    const start = (name: string, size: typeof spamTeacher, seed: number) => {
      const file = beside(id, `${name}-start-${seed}.onnx`);
      writeFileSync(file, encodeModel(spamClassifier(size, seed)));
      return file;
    };
    const teacher = await kept(id, "teacher", settings, async (file) => {
      return (await learn(start("teacher", spamTeacher, 1), file, samples, hardLoss, { ...course, seed: 1 })).seconds;
    });
    const best = await add("teacher", teacher);
    // one mail at a time: they are not of one length
    const logits = await logitsOf(teacher.file, samples, 2, 1);
    const taught: Samples = { ...samples, logits: (at) => logits.subarray(2 * at, 2 * at + 2) };
    const few = mailSamples(mails.train.filter((_, at) => at % rare === 0));
    const others = spamAccuracy(mails.train.filter((_, at) => at % rare === rare / 2));
    const gains: number[] = [];
    const gainsOverFew: number[] = [];
    const behind: number[] = [];
    for (const seed of settings.seeds) {
      const from = start("student", spamStudent, seed);
      const student = (name: string, loss: typeof hardLoss, of = taught, rate = 3e-3) =>
        kept(id, `${name}-${seed}`, settings, async (file) => {
          return (await learn(from, file, of, loss, { ...course, rate, seed })).seconds;
        });
      const alone = await add("student, labels alone", await student("alone", hardLoss), seed);
      const distilled = await add("student, distilled", await student("distilled", softLoss(2)), seed);
      const tried: { readonly trained: Trained; readonly value: number }[] = [];
      for (const rate of rates) {
        const trained = await student(`few-${rate}`, hardLoss, few, rate);
        tried.push({ trained, value: await others(trained.file) });
      }
      const better = tried.reduce((a, b) => (b.value > a.value ? b : a)).trained;
      gainsOverFew.push(distilled - (await add(`student, labels of ${few.count} mails`, better, seed)));
      gains.push(distilled - alone);
      behind.push(best - distilled);
    }
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const goals: readonly Goal[] = [
      {
        task: id,
        goal: "distilled within 1 point of the teacher",
        measured: mean(behind).toFixed(2),
        met: mean(behind) <= 1,
      },
      {
        task: id,
        goal: "distilled at least as good as labels alone",
        measured: mean(gains).toFixed(2),
        met: mean(gains) >= 0,
      },
      {
        task: id,
        goal: "distilled, without labels, 1 point above labels of one mail in twenty",
        measured: mean(gainsOverFew).toFixed(2),
        met: mean(gainsOverFew) >= 1,
      },
    ];
    return { rows, goals };
  },
};
