//! POSIX ACLs as text. GNU tar takes them from there alone: it passes over the kernel's attributes when told to unpack
//! ACLs, and what the mask allowed would become the rights of the whole group.

use crate::entry::Xattr;

/// The kernel's attribute that holds an ACL, and the record that holds the same as text.
const ACCESS: (&str, &str) = ("system.posix_acl_access", "SCHILY.acl.access");
/// What a folder gives to what is made in it; nothing else has one.
const DEFAULT: (&str, &str) = ("system.posix_acl_default", "SCHILY.acl.default");

/// The version of the kernel's form (include/uapi/linux/posix_acl_xattr.h).
const VERSION: [u8; 4] = 2_u32.to_le_bytes();
const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;
/// The id that is nobody's.
const NO_ID: u32 = u32::MAX;

/// Returns the record that says as text what the kernel's attribute says; `None` for any other attribute, and for an ACL
/// the kernel would not take.
pub(super) fn in_text(xattr: &Xattr, is_dir: bool) -> Option<Xattr> {
    let (_, record) = [ACCESS, DEFAULT].into_iter().find(|(kernel, _)| *kernel == xattr.name)?;
    if record == DEFAULT.1 && !is_dir {
        return None;
    }
    Some(Xattr { name: record.to_owned(), value: text(&xattr.value)?.into_bytes() })
}

/// Leaves out the records that say nothing but what the kernel's attributes beside them say.
pub(super) fn drop_texts(xattrs: &mut Vec<Xattr>, is_dir: bool) {
    let texts: Vec<Xattr> = xattrs.iter().filter_map(|xattr| in_text(xattr, is_dir)).collect();
    xattrs.retain(|xattr| !texts.contains(xattr));
}

/// Writes an ACL as `getfacl -n` does: a line for each entry.
fn text(value: &[u8]) -> Option<String> {
    let (entries, []) = value.strip_prefix(&VERSION)?.as_chunks::<8>() else { return None };
    let (mut text, mut seen, mut last) = (String::new(), 0, 0);
    for [tag_low, tag_high, rights_low, rights_high, id @ ..] in entries {
        let tag = u16::from_le_bytes([*tag_low, *tag_high]);
        let rights = u16::from_le_bytes([*rights_low, *rights_high]);
        let id = u32::from_le_bytes(*id);
        let is_named = matches!(tag, USER | GROUP);
        // They stand in the order of their tags, and only named users and groups stand more than once.
        if tag < last || (tag == last && !is_named) || rights > 7 || (is_named && id == NO_ID) {
            return None;
        }
        text.push_str(match tag {
            USER_OBJ | USER => "user:",
            GROUP_OBJ | GROUP => "group:",
            MASK => "mask:",
            OTHER => "other:",
            _ => return None,
        });
        if is_named {
            text.push_str(&id.to_string());
        }
        text.push(':');
        text.extend([(4, 'r'), (2, 'w'), (1, 'x')].map(|(bit, letter)| if rights & bit == 0 { '-' } else { letter }));
        text.push('\n');
        (seen, last) = (seen | tag, tag);
    }
    let needed = USER_OBJ | GROUP_OBJ | OTHER | if seen & (USER | GROUP) == 0 { 0 } else { MASK };
    (seen & needed == needed).then_some(text)
}
