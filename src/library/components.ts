/**
 * Strongly connected components, in the order in which they depend on each other.
 *
 * R. Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1 (1972), without recursion: chains
 * in hostile files are as long as the files.
 */

/** Components of the nodes 0 to count - 1: each after those that it leads to. Linear in nodes and edges. */
export function componentOrder(count: number, edgesOf: (node: number) => readonly number[]): number[][] {
  const order = new Int32Array(count).fill(-1);
  const low = new Int32Array(count);
  const onStack = new Uint8Array(count);
  const stack: number[] = [];
  const components: number[][] = [];
  let next = 0;
  for (let root = 0; root < count; root++) {
    if (order[root] !== -1) continue;
    const path: { readonly node: number; readonly edges: readonly number[]; at: number }[] = [];
    const enter = (node: number) => {
      order[node] = low[node] = next++;
      stack.push(node);
      onStack[node] = 1;
      path.push({ node, edges: edgesOf(node), at: 0 });
    };
    enter(root);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const { node, edges } = top;
      const to = edges[top.at++];
      if (to !== undefined) {
        if (order[to] === -1) enter(to);
        else if (onStack[to]) low[node] = Math.min(low[node]!, order[to]!);
        continue;
      }
      path.pop();
      const parent = path.at(-1)?.node;
      if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[node]!);
      if (low[node] !== order[node]) continue;
      const component: number[] = [];
      for (let member = -1; member !== node; ) {
        member = stack.pop()!;
        onStack[member] = 0;
        component.push(member);
      }
      components.push(component.sort((a, b) => a - b));
    }
  }
  return components;
}
