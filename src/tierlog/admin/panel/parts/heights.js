/**
 * Knows where each row of a long list stands, though few of them were ever drawn.
 *
 * Rows that all have one height need a multiplication. For others, what is known of
 * their heights lies in a Fenwick tree: a change and a look-up take log(n) steps.
 */

export class EqualHeights {
  constructor(height) {
    this.height = height;
    this.count = 0;
  }

  resize(count) {
    this.count = count;
  }

  measure() {
    return false;
  }

  top(index) {
    return index * this.height;
  }

  indexAt(y) {
    return Math.max(0, Math.min(this.count - 1, Math.floor(y / this.height)));
  }

  get total() {
    return this.count * this.height;
  }
}

export class MeasuredHeights {
  /** @param {number} guess the height of a row that wasn't drawn yet */
  constructor(guess) {
    this.guess = guess;
    this.count = 0;
    /** Each row's difference from the guess. */
    this.extra = [];
    this.tree = [0];
  }

  resize(count) {
    if (count < this.count) {
      this.extra.length = count;
      this.tree = [0];
      this.count = 0;
      const known = this.extra;
      this.extra = [];
      this.grow(count, known);
    } else this.grow(count, []);
  }

  grow(count, known) {
    for (let i = this.count; i < count; i += 1) {
      const extra = known[i] ?? 0;
      const node = i + 1;
      this.extra.push(extra);
      // A new node sums what stands in the range it is for.
      let sum = extra;
      for (let step = 1; step < (node & -node); step <<= 1) sum += this.tree[node - step];
      this.tree.push(sum);
    }
    this.count = count;
  }

  /** Take note of a row's height; return whether it is news. */
  measure(index, height) {
    const change = height - this.guess - this.extra[index];
    if (Math.abs(change) < 0.5) return false;
    this.extra[index] += change;
    for (let node = index + 1; node <= this.count; node += node & -node) this.tree[node] += change;
    return true;
  }

  top(index) {
    let sum = index * this.guess;
    for (let node = index; node > 0; node -= node & -node) sum += this.tree[node];
    return sum;
  }

  indexAt(y) {
    let index = 0;
    let top = 0;
    for (let step = 2 ** Math.floor(Math.log2(this.count || 1)); step > 0; step >>= 1) {
      const next = index + step;
      if (next > this.count) continue;
      const below = top + step * this.guess + this.tree[next];
      if (below <= y) [index, top] = [next, below];
    }
    return Math.max(0, Math.min(this.count - 1, index));
  }

  get total() {
    return this.top(this.count);
  }
}
