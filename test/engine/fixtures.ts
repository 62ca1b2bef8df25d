export const ADA = "ada@example.com";
export const ALAN = "alan@example.com";
export const GRACE = "grace@example.com";
export const EDSGER = "edsger@example.com";
