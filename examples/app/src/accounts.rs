//! Users, tenants and sessions. **They are in memory: a real application has its database here.** For AWS Marketplace
//! it matters that a user may belong to several tenants, and that a license is linked to a tenant and not to a user.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use jiff::{SignedDuration, Timestamp};

use crate::stallkeeper::Handoff;

/// The lifetime of a session.
const SESSION_LIFETIME: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The fewest characters of a password (NIST SP 800-63B requires 8, or 15 without a second factor).
pub(crate) const SHORTEST_PASSWORD: usize = 15;

/// The prefix of the tenant ids that Stallkeeper reserves for probes.
pub(crate) const PROBE_TENANTS: &str = "probe-";

/// The state of a browser's session. It has no `Debug`, because its content is secret or personal.
#[derive(Clone)]
pub(crate) struct Session {
    /// The mail address of the user who has signed in.
    pub(crate) user: Option<String>,
    /// The tenant that the user works for at the moment.
    pub(crate) tenant: Option<String>,
    /// The purchase that the visitor brings from AWS Marketplace.
    pub(crate) pending_handoff: Option<PendingHandoff>,
    /// The token that every form must send back, because other sites can post forms too.
    pub(crate) form_token: String,
    ends: Timestamp,
}

/// A buyer on the way from AWS Marketplace to a linked license.
#[derive(Clone)]
pub(crate) struct PendingHandoff {
    pub(crate) code: String,
    /// The idempotency key of the code's redemption: generated before the first attempt, and the same for each.
    pub(crate) key: String,
    /// The purchase that the code stands for, once it is redeemed.
    pub(crate) handoff: Option<Handoff>,
}

/// A customer.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The plan of a tenant that did not buy on AWS Marketplace.
    pub(crate) plan: Plan,
    pub(crate) projects: Vec<String>,
    members: BTreeSet<String>,
}

/// The plans of tenants that buy from the application itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    Free,
    Team,
}

impl Plan {
    pub(crate) const ALL: [Self; 2] = [Self::Free, Self::Team];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Free => "Free",
            Self::Team => "Team",
        }
    }

    pub(crate) fn projects(self) -> usize {
        match self {
            Self::Free => 1,
            Self::Team => 20,
        }
    }
}

/// All users, tenants and sessions.
#[derive(Default)]
pub(crate) struct Accounts(Mutex<AccountsState>);

#[derive(Default)]
struct AccountsState {
    /// The hash of the password, by mail address.
    users: HashMap<String, String>,
    tenants: HashMap<String, Tenant>,
    sessions: HashMap<String, Session>,
}

impl Accounts {
    /// Starts a session, and returns it with its secret, which goes into a cookie.
    pub(crate) fn create_session(&self, now: Timestamp) -> Result<(String, Session), getrandom::Error> {
        let (secret, form_token) = (random()?, random()?);
        let session =
            Session { user: None, tenant: None, pending_handoff: None, form_token, ends: now + SESSION_LIFETIME };
        let mut known = self.lock();
        known.sessions.retain(|_, session| session.ends > now);
        known.sessions.insert(secret.clone(), session.clone());
        Ok((secret, session))
    }

    pub(crate) fn session(&self, secret: &str, now: Timestamp) -> Option<Session> {
        self.lock().sessions.get(secret).filter(|session| session.ends > now).cloned()
    }

    pub(crate) fn change_session(&self, secret: &str, change: impl FnOnce(&mut Session)) {
        if let Some(session) = self.lock().sessions.get_mut(secret) {
            change(session);
        }
    }

    pub(crate) fn end_session(&self, secret: &str) {
        self.lock().sessions.remove(secret);
    }

    /// Signs a user in. The user gets a new session, so that a session that an attacker planted in the browser is
    /// worthless. The purchase from AWS Marketplace moves to the new session.
    pub(crate) fn sign_in(&self, secret: &str, email: &str, now: Timestamp) -> Result<String, getrandom::Error> {
        let (fresh, session) = self.create_session(now)?;
        let mut known = self.lock();
        let pending_handoff = known.sessions.remove(secret).and_then(|session| session.pending_handoff);
        let mut theirs = known.tenants.values().filter(|tenant| tenant.members.contains(email));
        // A user with one tenant need not pick it.
        let tenant = theirs.next().map(|tenant| tenant.id.clone()).filter(|_| theirs.next().is_none());
        known
            .sessions
            .insert(fresh.clone(), Session { user: Some(email.to_owned()), tenant, pending_handoff, ..session });
        Ok(fresh)
    }

    /// Creates a user, and returns `true` if the address was free. A real application sends a mail there first.
    pub(crate) fn add_user(&self, email: &str, password_hash: String) -> bool {
        let mut known = self.lock();
        let is_free = !known.users.contains_key(email);
        if is_free {
            known.users.insert(email.to_owned(), password_hash);
        }
        is_free
    }

    pub(crate) fn password_hash(&self, email: &str) -> Option<String> {
        self.lock().users.get(email).cloned()
    }

    /// Creates a tenant with one member. Stallkeeper reserves ids that start with `probe-` for probes.
    pub(crate) fn add_tenant(&self, name: &str, email: &str, is_probe: bool) -> Result<Tenant, getrandom::Error> {
        let id = format!("{}{}", if is_probe { PROBE_TENANTS } else { "t-" }, random()?);
        let members = BTreeSet::from([email.to_owned()]);
        let tenant = Tenant { id: id.clone(), name: name.to_owned(), plan: Plan::Free, projects: Vec::new(), members };
        self.lock().tenants.insert(id, tenant.clone());
        Ok(tenant)
    }

    pub(crate) fn remove_tenant(&self, id: &str) {
        self.lock().tenants.remove(id);
    }

    /// Changes a tenant; returns `None` if it does not exist.
    pub(crate) fn change_tenant<T>(&self, id: &str, change: impl FnOnce(&mut Tenant) -> T) -> Option<T> {
        self.lock().tenants.get_mut(id).map(change)
    }

    /// Returns a tenant, if that user belongs to it.
    pub(crate) fn tenant_of(&self, email: &str, id: &str) -> Option<Tenant> {
        self.lock().tenants.get(id).filter(|tenant| tenant.members.contains(email)).cloned()
    }

    /// Returns all tenants that a user belongs to, by name.
    pub(crate) fn tenants_of(&self, email: &str) -> Vec<Tenant> {
        let known = self.lock();
        let mut tenants: Vec<_> = known.tenants.values().filter(|it| it.members.contains(email)).cloned().collect();
        tenants.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        tenants
    }

    fn lock(&self) -> MutexGuard<'_, AccountsState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hashes a password (Argon2id). This is slow on purpose: call it where it blocks no other request.
pub(crate) fn hash(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}

/// Returns `true` if the password is right. It takes as long for an unknown user, so that the time does not show which
/// users exist.
pub(crate) fn verify(password: &str, hashed: Option<String>) -> bool {
    let Some(hashed) = hashed else {
        let _takes_as_long = hash(password);
        return false;
    };
    PasswordHash::new(&hashed).is_ok_and(|it| Argon2::default().verify_password(password.as_bytes(), &it).is_ok())
}

/// Returns 128 random bits, as text.
pub(crate) fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
