//! The names in a certificate as unambiguous text. Compares nothing.

use std::net::IpAddr;

use portcullis::Escaped;
use x509_parser::asn1_rs::Oid;
use x509_parser::extensions::GeneralName;
use x509_parser::x509::X509Name;

use super::hexadecimal;

/// A distinguished name, in encoding order: `O=HashiCorp, CN=localhost`.
pub(super) fn distinguished(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    for relative in name.iter() {
        for (index, attribute) in relative.iter().enumerate() {
            if !text.is_empty() {
                // The attributes of one set are joined with `+` (RFC 4514, section 2.2).
                text.push_str(if index == 0 { ", " } else { " + " });
            }
            text.push_str(&attribute_name(attribute.attr_type()));
            text.push('=');
            text.push_str(&value(attribute.as_slice()));
        }
    }
    text
}

/// A value, quoted if it could be mistaken for several.
fn value(bytes: &[u8]) -> String {
    let special = |byte: &u8| b",+=\";<>#\\".contains(byte);
    let text = Escaped::new(bytes);
    let blank = bytes.first() == Some(&b' ') || bytes.last() == Some(&b' ');
    if bytes.iter().any(special) || blank { format!("{text:?}") } else { text.to_string() }
}

/// The longest object identifier, in bytes, that is printed as a number. Converting longer ones to
/// decimal is slow.
const IDENTIFIER_LIMIT: usize = 64;

/// An object identifier in dotted notation.
pub(super) fn identifier(oid: &Oid<'_>) -> String {
    match oid.as_bytes().len() {
        length if length > IDENTIFIER_LIMIT => format!("an identifier of {length} bytes"),
        _ => oid.to_id_string(),
    }
}

/// The short name of an attribute (RFC 4514, section 3), or its object identifier.
fn attribute_name(oid: &Oid<'_>) -> String {
    let number = identifier(oid);
    let name = match number.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        _ => return number,
    };
    name.to_owned()
}

/// A subject alternative name after its kind.
pub(super) fn general(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => format!("DNS:{}", value(name.as_bytes())),
        GeneralName::RFC822Name(name) => format!("email:{}", value(name.as_bytes())),
        GeneralName::URI(uri) => format!("URI:{}", value(uri.as_bytes())),
        GeneralName::IPAddress(bytes) => match address(bytes) {
            Some(address) => format!("IP:{address}"),
            None => format!("IP:{} (invalid)", hexadecimal(bytes)),
        },
        GeneralName::DirectoryName(name) => format!("directory:{}", distinguished(name)),
        GeneralName::RegisteredID(oid) => format!("registered:{}", identifier(oid)),
        GeneralName::OtherName(oid, _) => format!("other:{}", identifier(oid)),
        GeneralName::X400Address(_) => "X.400 address".to_owned(),
        GeneralName::EDIPartyName(_) => "EDI party name".to_owned(),
        GeneralName::Invalid(tag, bytes) => format!("malformed, of kind {}: {}", tag.0, hexadecimal(bytes)),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Some(octets.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_not_read_as_several() {
        for (bytes, shown) in [
            (&b"kv"[..], "kv"),
            (b"x, O=HashiCorp", "\"x, O=HashiCorp\""),
            (b" x", "\" x\""),
            (b"x\n", r"x\n"),
            (b"\x1b[31m\xff", r"\u{1b}[31m\xff"),
            (b"say \"x\"", r#""say \"x\"""#),
        ] {
            assert_eq!(value(bytes), shown);
        }
    }

    #[test]
    fn endless_identifier_prints_its_length() {
        let endless = [&[0xff; 60_000][..], &[0x01]].concat();
        assert_eq!(identifier(&Oid::new(endless.into())), "an identifier of 60001 bytes");
        assert_eq!(identifier(&Oid::new((&[0x2a, 0x03, 0x04]).into())), "1.2.3.4");
    }

    #[test]
    fn addresses_have_four_or_sixteen_bytes() {
        assert_eq!(general(&GeneralName::IPAddress(&[127, 0, 0, 1])), "IP:127.0.0.1");
        assert_eq!(general(&GeneralName::IPAddress(&[0; 16])), "IP:::");
        assert_eq!(general(&GeneralName::IPAddress(&[1, 2, 3])), "IP:010203 (invalid)");
    }
}
