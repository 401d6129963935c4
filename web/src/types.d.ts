declare module "worker:*" {
  const script: string;
  export default script;
}
declare module "*.yaml" {
  const text: string;
  export default text;
}
declare module "examples:all" {
  const examples: [name: string, text: string][];
  export default examples;
}
