//! Changing what is there: logging, functions, network, instances, and who may read the data.

use std::sync::Arc;

use crate::estate::{Class, Voice, agents};
use crate::plan::Plan;

pub(super) fn logging(plan: &mut Plan) {
    let voice = plan.stolen(Class::User);
    plan.by(&voice);
    plan.call(&voice, "cloudtrail:DescribeTrails", &[]);
    plan.pause(400, 1_500);
    let (trail, detector) = (plan.any("trail"), plan.any("detector"));
    match plan.random.below(6) {
        0 => plan.call(&voice, "cloudtrail:StopLogging", &[&trail]),
        1 => plan.call(&voice, "cloudtrail:DeleteTrail", &[&trail]),
        2 => {
            plan.call(&voice, "cloudtrail:UpdateTrail", &[&trail]);
            plan.pause(400, 1_500);
            plan.call(&voice, "cloudtrail:PutEventSelectors", &[&trail]);
        }
        3 => plan.call(&voice, "ec2:DeleteFlowLogs", &[]),
        4 => {
            plan.call(&voice, "config:StopConfigurationRecorder", &[]);
            plan.pause(400, 1_500);
            plan.call(&voice, "guardduty:DeleteDetector", &[&detector]);
        }
        _ => plan.call(&voice, "organizations:LeaveOrganization", &[]),
    }
    plan.pause(400, 1_500);
    plan.call(&voice, "cloudtrail:ListTrails", &[]);
}

/// A stolen key, or somebody at the console under a role for people.
fn somebody_by_hand(plan: &mut Plan) -> Arc<Voice> {
    if plan.random.below(2) == 0 {
        return plan.stolen(Class::User);
    }
    let person = plan.someone(Class::Person);
    let address = plan.outside_address();
    let agent = plan.random.pick(agents::BROWSER).to_string();
    Arc::new(Voice { address, agent, console: true, ..(*person).clone() })
}

pub(super) fn function_code(plan: &mut Plan) {
    let voice = somebody_by_hand(plan);
    plan.by(&voice);
    let function = plan.any("function");
    plan.function_name = Some(function.clone());
    plan.call(&voice, "lambda:ListFunctions20150331", &[]);
    plan.pause(400, 2_000);
    plan.call(&voice, "lambda:GetFunction20150331v2", &[]);
    plan.pause(400, 2_000);
    plan.call(&voice, "lambda:UpdateFunctionCode20150331v2", &[&function, ""]);
}

pub(super) fn function_opened(plan: &mut Plan) {
    let voice = plan.stolen(Class::User);
    plan.by(&voice);
    let function = plan.any("function");
    plan.function_name = Some(function.clone());
    plan.call(&voice, "lambda:ListFunctions20150331", &[]);
    plan.pause(400, 1_500);
    let outside = plan.outside_account();
    let (invoke, invoke_url) = ("lambda:InvokeFunction", "lambda:InvokeFunctionUrl");
    match plan.random.below(3) {
        0 => {
            let arguments = [&function, "invoke", invoke, "*", "", r#"\"*\""#];
            plan.call(&voice, "lambda:AddPermission20150331v2", &arguments);
        }
        1 => {
            let statement = format!(r#"{{\"AWS\":\"arn:aws:iam::{outside}:root\"}}"#);
            let arguments = [&function, "partner", invoke, &outside, "", &statement];
            plan.call(&voice, "lambda:AddPermission20150331v2", &arguments);
        }
        _ => {
            plan.call(&voice, "lambda:CreateFunctionUrlConfig", &[&function, "NONE"]);
            plan.pause(400, 1_500);
            let open = r#","functionUrlAuthType":"NONE""#;
            let arguments = [&function, "url", invoke_url, "*", open, r#"\"*\""#];
            plan.call(&voice, "lambda:AddPermission20150331v2", &arguments);
        }
    }
}

pub(super) fn data_shared(plan: &mut Plan) {
    let voice = plan.stolen(Class::User);
    plan.by(&voice);
    let outside = plan.outside_account();
    plan.call(&voice, "ec2:DescribeSnapshots", &[]);
    plan.pause(400, 1_500);
    let user = format!(r#"{{"userId":"{outside}"}}"#);
    match plan.random.below(5) {
        0 => {
            let with = if plan.random.below(2) == 0 { r#"{"group":"all"}"# } else { &user };
            plan.call(&voice, "ec2:ModifySnapshotAttribute", &[with]);
        }
        1 => plan.call(&voice, "ec2:ModifySnapshotAttribute", &[&user]),
        2 => plan.call(&voice, "ec2:ModifyImageAttribute", &[&user]),
        3 => plan.call(&voice, "rds:ModifyDBSnapshotAttribute", &[&format!("\"{outside}\"")]),
        _ => {
            let bucket = plan.any("bucket");
            plan.call(&voice, "s3:DeleteBucketPublicAccessBlock", &[&bucket]);
            plan.pause(400, 1_500);
            let statement = format!(
                r#"{{"Sid":"Share","Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::{bucket}","arn:aws:s3:::{bucket}/*"]}}"#
            );
            plan.call(&voice, "s3:PutBucketPolicy", &[&statement, &bucket]);
        }
    }
}

pub(super) fn network(plan: &mut Plan) {
    let voice = plan.stolen(Class::User);
    plan.by(&voice);
    plan.call(&voice, "ec2:DescribeSecurityGroups", &[]);
    plan.pause(400, 1_500);
    let group = plan.any("securitygroup");
    let port = plan.random.pick(&["22", "3389", "5432", "3306"]);
    let v6 = r#""items":[{"cidrIpv6":"::/0"}]"#;
    let (range, range_v6) = if plan.random.below(4) == 0 { ("", v6) } else { (r#"{"cidrIp":"0.0.0.0/0"}"#, "") };
    plan.call(&voice, "ec2:AuthorizeSecurityGroupIngress", &[port, port, range, &group, range_v6]);
    plan.pause(400, 1_500);
    plan.call(&voice, "ec2:DescribeInstances", &[]);
}

pub(super) fn shells(plan: &mut Plan) {
    let voice = plan.stolen(Class::User);
    plan.by(&voice);
    plan.call(&voice, "ssm:DescribeInstanceInformation", &[]);
    let way = plan.random.below(3);
    let count = plan.random.between(5, 10);
    for instance in plan.distinct("instance", count) {
        plan.pause(200, 900);
        match way {
            0 => plan.call(&voice, "ssm:StartSession", &[&instance]),
            1 => plan.call(&voice, "ec2-instance-connect:SendSSHPublicKey", &[&instance, "ec2-user"]),
            _ => {
                let target = format!(r#""instanceIds":["{instance}"]"#);
                plan.call(&voice, "ssm:SendCommand", &[&target, "AWS-RunShellScript"]);
            }
        }
    }
}

pub(super) fn user_data(plan: &mut Plan) {
    let voice = plan.stolen(Class::User);
    plan.by(&voice);
    let instance = plan.any("instance");
    plan.call(&voice, "ec2:DescribeInstances", &[]);
    plan.pause(400, 1_500);
    plan.call(&voice, "ec2:StopInstances", &[&instance]);
    plan.pause(1_500, 4_000);
    plan.call(&voice, "ec2:ModifyInstanceAttribute", &[&instance, r#""userData":"<sensitiveDataRemoved>""#]);
    plan.pause(400, 1_500);
    plan.call(&voice, "ec2:StartInstances", &[&instance]);
}

pub(super) fn instances(plan: &mut Plan) {
    let voice = plan.stolen(Class::User);
    plan.by(&voice);
    plan.call(&voice, "ec2:DescribeInstanceTypes", &[]);
    let kind = plan.random.pick(&["p4d.24xlarge", "p3.16xlarge", "g5.48xlarge", "c5.24xlarge", "p5.48xlarge"]);
    for number in 0..plan.random.between(3, 6) {
        plan.pause(300, 1_200);
        let (instance, count) = (plan.any("instance"), plan.random.between(2, 20).to_string());
        let arguments = [kind, &instance, &count];
        if number > 0 && plan.random.below(3) == 0 {
            plan.denied(&voice, "ec2:RunInstances", &arguments);
        } else {
            plan.call(&voice, "ec2:RunInstances", &arguments);
        }
    }
}
