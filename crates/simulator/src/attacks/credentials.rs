//! Taking credentials, and making them.

use crate::estate::Class;
use crate::plan::Plan;

/// Names that an intruder hopes nobody looks at twice.
const NAMES: &[&str] =
    &["svc-backup-sync", "cloudwatch-agent2", "support-helper", "billing-export", "terraform-state", "it-admin"];
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

pub(super) fn secrets(plan: &mut Plan) {
    let class = if plan.random.below(3) == 0 { Class::User } else { Class::Function };
    let voice = plan.stolen(class);
    plan.by(&voice);
    plan.call(&voice, "secretsmanager:ListSecrets", &[]);
    let count = plan.random.between(25, 45);
    for secret in plan.distinct("secret", count) {
        plan.pause(60, 300);
        plan.call(&voice, "secretsmanager:GetSecretValue", &[&secret]);
    }
}

pub(super) fn windows_passwords(plan: &mut Plan) {
    let class = if plan.random.below(2) == 0 { Class::User } else { Class::Instance };
    let voice = plan.stolen(class);
    plan.by(&voice);
    plan.call(&voice, "ec2:DescribeInstances", &[]);
    let count = plan.random.between(20, 36);
    for instance in plan.distinct("instance", count) {
        plan.pause(60, 300);
        if plan.random.below(10) < 7 {
            plan.denied(&voice, "ec2:GetPasswordData", &[&instance]);
        } else {
            plan.call(&voice, "ec2:GetPasswordData", &[&instance]);
        }
    }
}

pub(super) fn for_another(plan: &mut Plan) {
    let voice = plan.stolen(Class::User);
    plan.by(&voice);
    plan.call(&voice, "iam:ListUsers", &[]);
    plan.pause(300, 1_200);
    let new = plan.random.below(2) == 0;
    let user = if new { format!("{}{}", plan.random.pick(NAMES), plan.number) } else { plan.any("person") };
    if new {
        plan.call(&voice, "iam:CreateUser", &[&user]);
        plan.pause(300, 1_200);
        plan.call(&voice, "iam:AddUserToGroup", &[&user, "developers"]);
        plan.pause(300, 1_200);
    }
    match plan.random.below(3) {
        0 if !new => plan.call(&voice, "iam:UpdateLoginProfile", &[&user]),
        0 | 1 => plan.call(&voice, "iam:CreateLoginProfile", &[&user]),
        _ => {}
    }
    plan.pause(300, 1_200);
    let key = plan.key_id();
    plan.call(&voice, "iam:CreateAccessKey", &[&user, &key]);
}

pub(super) fn administrator(plan: &mut Plan) {
    let voice = plan.stolen(Class::User);
    plan.by(&voice);
    plan.call(&voice, "iam:ListAttachedUserPolicies", &[]);
    plan.pause(400, 1_500);
    match plan.random.below(3) {
        0 => plan.call(&voice, "iam:AttachUserPolicy", &[&voice.name, ADMINISTRATOR]),
        1 => {
            let role = plan.any("role");
            plan.call(&voice, "iam:AttachRolePolicy", &[&role, ADMINISTRATOR]);
        }
        _ => plan.call(&voice, "iam:AttachGroupPolicy", &["developers", ADMINISTRATOR]),
    }
    plan.pause(400, 1_500);
    plan.call(&voice, "iam:ListUsers", &[]);
}

pub(super) fn role_trust(plan: &mut Plan) {
    let voice = plan.stolen(Class::User);
    plan.by(&voice);
    plan.call(&voice, "iam:ListRoles", &[]);
    plan.pause(400, 1_500);
    let outside = plan.outside_account();
    let trust =
        format!(r#"\"AWS\":\"arn:aws:iam::{outside}:{}\""#, plan.random.pick(&["root", "user/sync", "role/collector"]));
    if plan.random.below(2) == 0 {
        let role = plan.any("role");
        plan.call(&voice, "iam:UpdateAssumeRolePolicy", &[&role, &trust]);
    } else {
        let role = format!("{}-role-{}", plan.random.pick(NAMES), plan.number);
        plan.call(&voice, "iam:CreateRole", &[&role, &trust]);
        plan.pause(400, 1_500);
        plan.call(&voice, "iam:AttachRolePolicy", &[&role, ADMINISTRATOR]);
    }
}
