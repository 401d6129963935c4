import { serve, browser, visit, settled } from "./browser.mjs";
import { readFileSync } from "node:fs"; import { deflateRawSync } from "node:zlib";
const site = await serve(new URL("file:///work/wt/page/web/dist/"));
const c = await browser();
const frag = (t) => `#1.${deflateRawSync(JSON.stringify([[readFileSync("/work/wt/page/scenarios/"+t+".yaml","utf8")], {}])).toString("base64url")}`;
for (const [name,w,h,dark,url] of [["start-desk",1280,900,false,""],["desk",1280,1000,false,"gpt3-175b"],["serving-dark",1280,1000,true,"llama-3-70b-serving"],["phone",390,844,true,"distill-llama-3-8b"]]) {
  const t0=Date.now();
  const {page:p,seen,close} = await visit(c, site.address+(url?frag(url):""), {width:w,height:h,dark});
  const t1=Date.now(); if(url) await settled(p); console.log(name, t1-t0, Date.now()-t1, seen.complaints, seen.requests.length);
  if (name==="desk"){ const bs=await p.$$(".figures button"); await bs[5].click(); await p.waitForSelector(".why details"); await new Promise(d=>setTimeout(d,300)); }
  await p.evaluate(()=>scrollTo(0,0)); await p.screenshot({path:`/tmp/mock/r-${name}-fold.png`}); await p.screenshot({path:`/tmp/mock/r-${name}.png`,fullPage:true}); await close();
}
await c.close(); site.server.close();
