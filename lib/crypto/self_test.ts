/**
 * Self-test (protocol §3): known answers of every primitive, before the program does anything. A runtime that computes
 * these wrongly must not be trusted with keys.
 *
 * The keys here are public and guard nothing.
 */

import { decodeBase64 } from "@std/encoding/base64";
import { decodeHex } from "@std/encoding/hex";
import { encodeHex } from "../hex.ts";
import { ChatError } from "../errors.ts";
import { type Bytes, equalSecret } from "./bytes.ts";
import { CfbEncryptor } from "./cfb.ts";
import { signingKey, signLabelled, verifyingKey, verifyLabelled } from "./ed25519.ts";
import { sha256 } from "./hash.ts";
import { hmac } from "./hmac.ts";
import { decapsulate, importMlkem } from "./mlkem.ts";
import { importX25519, x25519 } from "./x25519.ts";
import { importRsaPrivate, oaepDecrypt, oaepLabel } from "./oaep.ts";

/** The runtime's cryptography does not give the known answers. */
class SelfTestFailed extends ChatError {
  /** Makes one. @param what failed */
  constructor(what: string) {
    super(`This runtime computes ${what} wrongly; chat refuses to run on it`, "use the released executable");
  }
}

/** A primitive, what it gives, and what it should. */
export type KnownAnswer = readonly [name: string, answer: () => Bytes | Promise<Bytes>, expected: string];

const hex = decodeHex;
/** All that is checked. */
export const knownAnswers = (): readonly KnownAnswer[] => [
  ["ML-KEM-768", async () => sha256(await kemAnswer()), encodeHex(decodeBase64(kemExpected))],
  ["RSA-OAEP", async () => sha256(await rsaAnswer()), encodeHex(decodeBase64(rsaExpected))],
  // NIST SP 800-38A, F.3.17, the first two blocks.
  [
    "AES-256-CFB",
    () =>
      new CfbEncryptor(hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")).encrypt(
        hex("000102030405060708090a0b0c0d0e0f"),
        hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"),
      ),
    "dc7e84bfda79164b7ecd8486985d386039ffed143b28b1c832113c6331e5407b",
  ],
  // RFC 4231, section 4.3.
  [
    "HMAC-SHA-256",
    () => hmac(hex("4a656665"), hex("7768617420646f2079612077616e7420666f72206e6f7468696e673f")),
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  ],
  // The key of RFC 8032, section 7.1, test 2; the answer by Python's cryptography.
  [
    "Ed25519",
    () => {
      const key = signingKey(hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
      const signature = signLabelled(key, "chat2 self test", hex("72"));
      const isHeld = verifyLabelled(verifyingKey(key.publicKey), "chat2 self test", hex("72"), signature);
      return isHeld ? signature : hex("");
    },
    "65b1e8fb6a9ab626b3b36edd7a7fe006b351deb580c665c78eea219407a7d2de" +
    "ec84ee65d032dd54ac36fa1c3223e1b9ad30f0a914dd75b4cc48076917424705",
  ],
  // RFC 7748, section 5.2.
  [
    "X25519",
    async () =>
      await x25519(
        await importX25519(hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")),
        hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
      ),
    "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
  ],
];

/** Checks them all; about 10 ms. @throws SelfTestFailed */
export async function selfTest(known = knownAnswers()): Promise<void> {
  const answers = await Promise.all(known.map(([, answer]) => attempt(answer)));
  for (const [i, [name, , expected]] of known.entries()) {
    const answer = answers[i];
    if (!answer || !equalSecret(answer, decodeHex(expected))) throw new SelfTestFailed(name);
  }
}

async function attempt(answer: KnownAnswer[1]): Promise<Bytes | null> {
  try {
    return await answer();
  } catch {
    return null;
  }
}

async function kemAnswer(): Promise<Bytes> {
  return await decapsulate(await importMlkem(decodeBase64(kemSeed)), decodeBase64(kemCiphertext));
}

async function rsaAnswer(): Promise<Bytes> {
  const key = await importRsaPrivate(decodeBase64(rsaKey));
  return await oaepDecrypt(key, oaepLabel("chat2 self test"), decodeBase64(rsaCiphertext));
}

const kemExpected = "EyCvrga3qnvzanx2LpnyiUW/WSWWkbELpRq/b9cCV3s=";
const rsaExpected = "RLIkLFFKhlSH8YUVzXG3s8qRGT7mSREUQ9SGaW53j5I=";
const kemSeed = "LYgHFr52mFl0xMjBIe4S/HlddgWkAgv7CBdWSSPswx+9l63dAH/TPZ6rPvR8p/cZUhcHZ4UogqMEVKMsExVI8A==";
const kemCiphertext = "" +
  "+AFDUnfRj4Ej00m1DKNqaGwJd6S0EGNWCa8DyqFcT2LnvsIrU91yWotAUKUPh0GolnTcwdRRFriJ2FzdB7Tsb0iRaxhVTDNuTc7k" +
  "8dRQy7OXxpTbWlh3M6QLFjXirPd/Cok8HStb0a7KiLhAlmGNcc05DrtECRGja95/UmNNZSITq/bAjgtX6uRyADcbYnRdrynKglxi" +
  "F+q5sTYF7lwogOlxLHxD0vNk13+MGo9vhub/RdOLf8Z0DWFemSQjvmtL3hWcgNVZshrgBi5FIV8aVcgZGjOBHwIST37HePu0AFAE" +
  "Mnlv7P+A94T5JAwYQKxYUY2Er76hvf7zxtey4UEEtu4Zd56mHDUFah6sadT67+saEsjGEGgBhYJyCgcCNok4rdhAK3fPvtlmPOmH" +
  "tx2dTQPwbFtGuybw4t7LDiuLPDd9BNwgjnCGaBPR2hcVUyYoTJhkLZ6Rz7IdFV587F+bJjhwITFLX4PThhs/T9Eh1nTLiY931UfB" +
  "8nPKXG4VQg8v7UXRpzHM/ljuXIHZL/ob6mi23krRatNa/a3Xxuj5M2z6X9ytYhiE2yzOgIjwMkUCwKb7g+gYkOH7S7kSdGtnnhrV" +
  "7xoHh7bo8STpZjtZPxtv1SmHqSgyiP5FBwFiCSHyY+i0+KPY2GHtiO8nJkOm2+4UvL9fh5PKEIoYpGNs7qdYPm5klltrJT6gasST" +
  "GOHcWHOOa/3/mMDm1f54G5cUoMgtnWdAKch6xDQGU02fY2PXqFF727BTehEW39ZVSO4ivq1TyBlaQBYqZVnogfWwjax8dunzVuGD" +
  "tWDQnvTqdHOtiDI0xgp1dvFcEF+AFgFQRwjagCNtcfc18cbw+XYQjkI2ywCfaxtLNOzGZMQ5ZMdkeKkJl+sGkvNzLRobf/XthrIj" +
  "l7oAoS/uotNgcQGx/Wk0itjFFpDi4pObdICFh0Z5el8eN4VwVZPQvQ1Z7ddKEc26a8fbHlDN+GlaIb/ruLHh1wVYdt2ICLgDWYm1" +
  "mPlBy2V6CxqLxtYNCFRijnhUw1XfxfBHAoI/GGUaVYwSGtudCJaMrnStW2pP2diwdJP4QK/pCVmJ5lINsw1fu3f+dLkz/d4Okwm7" +
  "+pNAbj4CMZqn63yn8Du53InGHosnY6iY6zCusVo7GZGGH5M+LKq2a0YYSU93BtYJ4S7WsGgFpLStHL1nb5yny436mVsB2CKwlN+5" +
  "mMdmFZwlbhv0B38bXmiU80JvpI9B5nNLoJ1ImWdQzGgeFuM+zXww1oHYt6Q78gfvcVzlhB7W5CqqwBrgxRUQpH0dHSkB/FPJE16G" +
  "Qy/DqlgQcGb9rP0xt+5PDsn87neR4Xsxf0ujUvlsreKKeVVg3cN61s0kO3KwzD0ntyYFxxA/tJZD+DshOurb3EEilcm+8S6JWFzL" +
  "ulmKmJvuxCYXptTBkhcqIbeppxe10Rayh/F1uD+TQpklgl67hzw=";
const rsaCiphertext = "" +
  "e0XKEQVxg6BWINk8IdYx6vEkt/Jsf1xjAxvqoJqjnm7Xsmdu0tkhy723afhe7koRtJ90M2u7Q3UenbaoCLu6cBjujHhYdwQNVqxN" +
  "GYe7hT4mYN6AHsff2rqBJZJi94OrlIDNbuWIGPqO296dt+jMcyST1gbROb+qWJ8SwrI3WVeacpwK/RIMeQp37s2Gq94oAYL+6qja" +
  "K4Rm7iNtm9xZaBjXRv5I6A8O02im+MSp3e3pfNvK7NJHTr2cId+IUPU8cpheHAgX2zgpNIjGCw/GGtsRnvlTP4WqT6esi/Tz7tMw" +
  "OjRZ4p9wmkVufXgrCiIHwuF/4p8Kf6CI5FVvygQlu64BNedMnrBQSYd5OsgvUve8b/qQe0agP3525yRkj52vf19O7VkOhITErCSZ" +
  "0TtX4D2jX42JJSXYxw5MvAlhc1ggigeLxL/hPbQCkdrUs8AwRT3hqsHuHKTUFtJnYGAuRoAWiaVulfh5JFWxQ9dzgzPABvV98alo" +
  "F/maHuEpLjZ8";
const rsaKey = "" +
  "MIIG/QIBADANBgkqhkiG9w0BAQEFAASCBucwggbjAgEAAoIBgQClJDrQRBqKpBRvTsAV/UXeAtMtAgi+SV/r8BeIo7rduC9al9L8" +
  "k/wyew4BQM50pkMZS4OgyYgG81l9XIjLB5eLCB/ZW0QH3EyLPHgf+MK4QfctkssmVMjemHF87NaRbSkomYX3XsIf9jpoyhrmIRMA" +
  "fTC5duqz6/K7FS25v6883ElY7IYnBtou5Uzbeq2vQGKs15OGMUjhusf6b7bf3puRXubhy6MDd3hZuYSIPhqKGwJG8kRPoqAUQJve" +
  "vtctck72OFy8oln/WgrxhsuxJL8rDEs12SEf4h3FilriunbnxQimoGEcsGvIslrzUXyX4Axc3980S/b3kMf5w94bP4F6xEYhglnu" +
  "olsWSTd0fdLlt2oVhhhQ+FLRa39pO0DXn/sloKc4OKYQz0dswbNQMWqPTA9hdhcA1noGnKfgSxeT5+2h+dJcxokZqhskD/8gpfE/" +
  "tUiyzLfUEhmCdtnasONAhjmjl2LuXhsWFF7kyYAygPLffoBNPDIQY7wINJhF1hUCAwEAAQKCAYEAn0SPzGjCSE/yvV7v9sUr6vBC" +
  "hrfdgtf1QPFvYQK3qDqIwRCIFb0LkAwJ979u3iWztOOVcS6smDd+aV8jNtx9lUMipFhXBlW7JNYO7JbYBSjpoPRgJPnEOJpBacBp" +
  "OBxVg6h9AZRMGNM6hfHVe3kOgHw8z8IWnavDkBbe4LQz57h0rOSAhYcgSfYv58UrWUf5YsUOrG8/4SRo1emEL+jblJo4hjAFacSB" +
  "N9eqMFPk+KkPyyjAJSWsyZt+OJdJo7UHURaQADHL8199hkZxukDTqx+xIQxSwF9X4FmbmS46wsY/idC5+Vk46AiF3HsGHnxOqC2b" +
  "i4855EyMazs3L3vVDraADADpyPw27XeTg+Ueel7K5prp9kz1AAp3onJa9PbfqIGtYFCUCMsUjZiSDE0+OtPlE/9K8BsmyrianHbN" +
  "vTSeH4C+gKne1CC5VL+HPwXUzjfqlsJ5zIeQRgsHQ07yZqQfOTDRb8lfB0flJa7QI1xwBiiaNuzvzDhC0o0JKoPJAoHBAMDGszwS" +
  "MDS/WH8SlVrE0deIu1qhs6O2ML+/RyA+BlhKfHf12ubBuXMzZ8Bg1acCcj5ZdVxnqgD0y9HcYKHbufc1h2WQbyJCJBH4ZnlRASmx" +
  "H+NnQEif0svy7hApfSbr2j9yZHwOKsgTOawct+73eIDK2EkN//d1KeSd+Qn1GmaJsKb7BZWUprpi6y05bRGLAfzmHyPTartHy3qL" +
  "7KyUDenUf2Pdow/RJpTtsfRtkJzSeRFV2xNZo08Utl2koh92IwKBwQDbTVntjl9Y4CWnPrmDluW4VdVneIIEWUFXiZfNftA5J91T" +
  "IBiBXhPRgChLLmZXZmYKB5wBRixN1Ww2ACeKkRl00QUuoMBFadjE1H54vQGxBNnUAGZgsbB7i8Rq+LZFPj1NT5IF0Ns0Y8TgsY4s" +
  "Z+fVYzxUJXGDdlzRlWtx5GDxYesmFA47hksiyyFkwBVl8j8bfIrHJX7F6qm8/ayBICwEAJQMvarnHh7slY+/FX6jheDsFmrz+ywP" +
  "5DBFhoJnWmcCgcBQl0D7DgeFJbFTfmteBQZM+uaIXy2AdXwvzUFo40U3x/v9EpUu/zIOTSFEtbbcGRO1qSR9OwFBYRWMaHslb3xx" +
  "Mrml5hnv0oLN2HDOquS3j0rrgJDJS7eOd8K6kv21NciJ2cLUcf/EoPTtVRw4FNEV1rdQ4z9tLlgTMU+ZsBQXZdyqEisle32wUgZL" +
  "Y8SLHvf3yCSgj5QBM2SHmNOa2lJuvN183H188U0V2cEZlGxugzcF3kS19DVnrBsJTvhP+s0CgcBCnsPz461ZbXZi0S5AKGYO0pxq" +
  "u3Qb6BVuh1EDT0PoKREWQIjRPAgfO6SB+k2CvYu//kHJLU0mM/CUkwVwFdY644iEercOHzKH0Nm+ygQqh4O44Io5U6F+Vp5LtNSC" +
  "Qn8S7lo4xBLjXm+fprC/Eq2d6HCaS2mpexqFXLPwPGWqzolF3w/Xy1sl7bluRt/5QVckfXgXOW/Cph/8Vr/B1kkoyhgvqqqxXTgd" +
  "vO2XKet3t6L1dXX2OlZPWY3EgTE6Pn8CgcBxEbmlWQaLvEbxZZSWjociEToUrMYwnuDdARbNKRvHUgxK/83HstpHlSRrRDfUKXXJ" +
  "LFzbDW/aqhHupcPDoZJJ5pUxBz1Udr5j1mEJoixeYKEx6IVxG7d+TrEDbspC5DVFjy/MZDPB6g8kF/1VFImShu6OagXzJqRIjP5b" +
  "7aPjnDayXWINQ5qjC3MKOD6T9L5/c0liSWuUqX0jPaiwMv0DCm+msMaataGelHzaBWzEoHKrEOjVldIXI4BFVOThG54=";
