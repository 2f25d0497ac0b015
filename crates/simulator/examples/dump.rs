//! throwaway
use watchfire_simulator::*; use watchfire_simulator::output::*; use watchfire_record::{Clock,SystemClock};
fn main(){
 let p=std::path::Path::new("/tmp/sim_out");
 for (name,rate,n,attacks) in [("quiet",200.0,240_000u64,AttackPlan::None),("attacked",200.0,120_000,AttackPlan::Every(20_000_000)),("fast",20_000.0,300_000,AttackPlan::None)] {
  let s=Settings{records:Some(n),rate,attacks,..Settings::new(77,1_795_500_000_000_000)};
  let mut o=FolderOutput::create(&p.join(name),&StreamKind::ALL,Format::Plain).unwrap(); let mut sim=Simulation::new(&s);
  for r in sim.by_ref(){o.write(&r).unwrap();} o.finish().unwrap(); write_truth(&p.join(name).join("truth.jsonl"),sim.truth()).unwrap();
  println!("{name} {} attacks", sim.truth().len());
 }
 let s=Settings{streams:vec![StreamKind::CloudTrail],records:Some(300_000),rate:2000.0,attacks:AttackPlan::None,..Settings::new(1,1_795_500_000_000_000)};
 let sim=Simulation::new(&s); let t1=SystemClock.now(); let b:usize=sim.map(|r|r.json.len()).sum(); let d=(SystemClock.now()-t1) as f64/1e6;
 println!("{} rec/s mean {}", 300_000.0/d, b/300_000);
 fn sendable<T:Send>(){} sendable::<Simulation>(); sendable::<Producer>(); sendable::<FileOutput>();
}
