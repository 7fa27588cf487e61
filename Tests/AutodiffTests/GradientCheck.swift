import TestSupport

// The check lives in TestSupport because the tests of the layers use it too.

typealias GradientCheck = TestSupport.GradientCheck
typealias SplitMix = TestSupport.SplitMix
