//! throwaway
use watchfire_simulator::*;
use watchfire_record::{Clock,SystemClock};
fn main(){
 for streams in [vec![StreamKind::CloudTrail], StreamKind::ALL.to_vec(), vec![StreamKind::Lambda], vec![StreamKind::Api]] {
  let s=Settings{streams:streams.clone(),records:Some(300_000),rate:2000.0,attacks:AttackPlan::None,..Settings::new(1,1_795_500_000_000_000)};
  let t=SystemClock.now(); let sim=Simulation::new(&s); let t1=SystemClock.now(); let b:usize=sim.map(|r|r.json.len()).sum(); let d=(SystemClock.now()-t1) as f64/1e6;
  println!("{streams:?} new {}ms {} rec/s mean {}", (t1-t)/1000, 300_000.0/d, b/300_000);
 }
 let s=Settings{streams:vec![StreamKind::CloudTrail],records:Some(200_000),rate:2000.0,attacks:AttackPlan::None,..Settings::new(1,1_795_500_000_000_000)};
 let mut by:std::collections::BTreeMap<String,(usize,usize)>=Default::default(); let mut ev:std::collections::BTreeMap<String,usize>=Default::default();
 for r in Simulation::new(&s){ let v:serde_json::Value=serde_json::from_str(&r.json).unwrap(); let k=format!("{} {}",v["userIdentity"]["type"].as_str().unwrap(), v["errorCode"].is_string()); let e=by.entry(k).or_default(); e.0+=1; e.1+=r.json.len(); *ev.entry(format!("{}:{}",v["eventSource"].as_str().unwrap(),v["eventName"].as_str().unwrap())).or_default()+=1;}
 for (k,(n,b)) in by {println!("{k} {n} {}",b/n)}
 let mut ev:Vec<_>=ev.into_iter().collect(); ev.sort_by_key(|e|std::cmp::Reverse(e.1)); println!("{} events; top {:?}",ev.len(),&ev[..25]);
 for r in Simulation::new(&Settings{rate:100.0,..Settings::new(2,1_795_500_000_000_000)}).skip(1000).take(14){println!("{}\n",r.json)}
}
